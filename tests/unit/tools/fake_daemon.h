/* SPDX-License-Identifier: MIT */
/* What daemons tell, for tests. */
#ifndef FAKE_DAEMON_H
#define FAKE_DAEMON_H

extern char fake_told[512]; /* the last line of daemon_log(), or "" */

#endif
