/**
 * @file post.h  Shell. An action of a running program, by its token.
 */
#ifndef CTL_POST_H
#define CTL_POST_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/** Where to and with which token; all may be NULL */
struct post {
	const char *url;         /**< -u                                     */
	const char *token_file;  /**< --token-file                           */
	const char *config;      /**< --config: its http and state_dir count */
	const char *who;         /**< --who; default: who runs us            */
	bool node;               /**< defaults are a node's, not the edge's  */
};

/** For getopt_long(): the four options above. Short: u, c */
#define POST_OPTS \
	{ "url", required_argument, NULL, 'u' }, \
	{ "token-file", required_argument, NULL, 'T' }, \
	{ "config", required_argument, NULL, 'c' }, \
	{ "who", required_argument, NULL, 'W' }
#define POST_USAGE \
	"  -u URL             address of the program, default: of its settings, " \
	"else\n" \
	"                     http://127.0.0.1:8060 (edge), :8061 (node)\n" \
	"  -c, --config FILE  settings of the program: its http and " \
	"state_dir\n" \
	"  --token-file FILE  default: admin.token in state_dir; else " \
	"$EDGEWISE_TOKEN\n" \
	"  --who NAME         for the log, default: who runs this\n"

#define POST_URL 300             /**< longest URL, with its end [bytes]     */

/** The address it would go to. What went wrong is said. @return 0 or errno */
int  post_url(const struct post *p, char *url, size_t size);
/** The same for what needs no token: -u alone is taken as it is, whatever
 *  settings are on this machine */
int  post_where(const struct post *p, char *url, size_t size);
#define POST_TOKEN 260           /**< longest token, with its end [bytes]     */
/** The token it would show. What went wrong is said. @return 0 or errno */
int  post_token(const struct post *p, char *token, size_t size);
/** Takes one of the options. @return was it one */
bool post_opt(struct post *p, int c, char *arg);
/**
 * POST it. What went wrong is said on stderr.
 *
 * @param body    taken over
 * @param answer  the caller's to json_decref(); NULL unless CTL_OK
 * @return CTL_OK; CTL_BAD: refused; CTL_FAIL: not reached, no token
 */
int  post_send(const struct post *p, const char *path, json_t *body,
	       json_t **answer);

/** "90", "90s", "30m", "2h", "1d" as seconds, 1 to max. @return 0 or EINVAL */
int  post_time(uint32_t *secs, const char *text, uint32_t max);

#endif
