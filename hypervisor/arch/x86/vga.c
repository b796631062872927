/* SPDX-License-Identifier: MIT */
/* The VGA text screen: boot messages, until dom0 takes it. */
#include <asm/multiboot.h>
#include <asm/processor.h>
#include <asm/system.h>
#include <hv/console.h>

#define TEXT_BUFFER 0xb8000
#define COLUMNS     80
#define ROWS        25
#define BLANK       0x0700 /* light grey on black */

static volatile uint16_t *screen; /* NULL: not ours */
static unsigned int column, row;

static void scroll(void)
{
    for (unsigned int i = 0; i < (ROWS - 1) * COLUMNS; i++)
        screen[i] = screen[i + COLUMNS];
    for (unsigned int i = (ROWS - 1) * COLUMNS; i < ROWS * COLUMNS; i++)
        screen[i] = BLANK | ' ';
    row = ROWS - 1;
}

static void put(char c)
{
    if (c == '\r') {
        column = 0;
        return;
    }
    if (c == '\n' || column == COLUMNS) {
        column = 0;
        if (++row == ROWS)
            scroll();
    }
    if (c != '\n')
        screen[row * COLUMNS + column++] = BLANK | (uint8_t)c;
}

static void set_cursor(void)
{
    unsigned int at = row * COLUMNS + column;

    outb(0x3d4, 14);
    outb(0x3d5, (uint8_t)(at >> 8));
    outb(0x3d4, 15);
    outb(0x3d5, (uint8_t)at);
}

static void vga_write(const char *s, size_t n)
{
    if (!screen)
        return;
    for (size_t i = 0; i < n; i++)
        put(s[i]);
    set_cursor();
}

static struct console_sink sink = {.write = vga_write};

void vga_console(const struct boot_display *display)
{
    if (screen || (display->type != BOOT_DISPLAY_NONE && display->type != BOOT_DISPLAY_TEXT))
        return;
    /* The first tables map it with the first 4 GiB; ours do so from vga_remap() on. */
    screen = (volatile uint16_t *)(DIRECTMAP_VIRT + TEXT_BUFFER);
    row = ROWS - 1;
    scroll();
    console_add_sink(&sink);
}

void vga_remap(void)
{
    if (screen)
        screen = map_device(TEXT_BUFFER, ROWS * COLUMNS * sizeof(*screen));
}

void vga_release(void)
{
    screen = NULL;
}
