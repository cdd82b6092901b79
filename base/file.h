/**
 * @file file.h  Shell. Small files that are read and written as a whole.
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "base/buf.h"

/** Whole file, at most max bytes; b is made here, buf_free() it when 0.
 *  @return 0, errno, EFBIG */
int  file_read(struct buf *b, const char *path, size_t max);
/** Mode 0600. Written beside and renamed: a crash leaves the old content or
 *  the new. @return 0 or errno (then the old content stays) */
int  file_write(const char *path, struct sl text);
/** May others than the owner read or write it? */
bool file_is_open(const char *path);

#endif
