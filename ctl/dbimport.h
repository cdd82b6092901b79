/**
 * @file dbimport.h  Shell. `edgewise db import`: contacts of a Kamailio or
 * OpenSIPS into a running cluster.
 */
#ifndef CTL_DBIMPORT_H
#define CTL_DBIMPORT_H

/** argv[0] = "import". @return exit status */
int dbimport_run(int argc, char **argv);

#endif
