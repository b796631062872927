/* SPDX-License-Identifier: MIT */
/* The guest's console. A control domain and a domain without a console ring write through
 * the hypervisor's console_io call; other domains use the shared ring of start_info. */
#ifndef PV_CONSOLE_H
#define PV_CONSOLE_H

#include <pv/types.h>

/** console_init - choose ring or console_io. Before it, console_write() uses console_io. */
void console_init(void);

/** console_write - put out @len bytes. With a ring that nobody empties, the rest is dropped. */
void console_write(const char *text, size_t len);

/** console_read - take up to @len input bytes that are there now; returns how many. */
size_t console_read(char *buf, size_t len);

/** console_read_line - wait (blocked) for a line, at most @size - 1 characters; echoes what is
 * typed, knows backspace. Returns the length without the newline. */
size_t console_read_line(char *buf, size_t size);

#endif
