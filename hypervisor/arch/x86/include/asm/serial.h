/* SPDX-License-Identifier: MIT */
/* Where console output goes on this machine. */
#pragma once

/** serial_configure - `com1=` and `com2=`: baud rate or auto, format, port, interrupt; each may be
 * left out. -ENODEV: no such line, -EINVAL. */
int serial_configure(const char *name, const char *how);
/** serial_console - send console output there. -EINVAL not the name of a line; -ENODEV no device;
 * -EBUSY there is one already. */
int serial_console(const char *name);
/** serial_start_input - once interrupts work. */
void serial_start_input(void);

/** vga_console - show console output on a VGA text screen. vga_release - leave it to dom0. */
struct boot_display;
void vga_console(const struct boot_display *display);
void vga_remap(void); /* once our own page tables are loaded */
void vga_release(void);

/** vga_describe - the screen, for dom0's kernel: bytes of @info (cleared before) that say
 * something. */
struct boot_info;
struct dom0_vga_console_info;
size_t vga_describe(const struct boot_info *bi, struct dom0_vga_console_info *info);
