/* SPDX-License-Identifier: MIT */
/* The VGA text screen: boot messages, until dom0 takes it. */
#include <asm/boot.h>
#include <asm/processor.h>
#include <asm/system.h>
#include <xen/xen.h>
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

static unsigned int cursor(void)
{
    unsigned int at;

    outb(0x3d4, 14);
    at = (unsigned int)inb(0x3d5) << 8;
    outb(0x3d4, 15);
    return min(at | inb(0x3d5), (unsigned int)COLUMNS * ROWS - 1);
}

size_t vga_describe(const struct boot_info *bi, struct dom0_vga_console_info *info)
{
    const struct boot_display *d = &bi->display;
    bool none = bi->efi_system_table || (acpi.fadt.boot_arch & ACPI_BOOT_NO_VGA);

    if (d->type == BOOT_DISPLAY_RGB) {
        info->video_type = XEN_VGATYPE_VESA_LFB;
        info->u.vesa_lfb.width = (uint16_t)d->width;
        info->u.vesa_lfb.height = (uint16_t)d->height;
        info->u.vesa_lfb.bytes_per_line = (uint16_t)d->pitch;
        info->u.vesa_lfb.bits_per_pixel = d->bpp;
        info->u.vesa_lfb.lfb_base = (uint32_t)d->addr;
        info->u.vesa_lfb.ext_lfb_base = (uint32_t)(d->addr >> 32);
        info->u.vesa_lfb.lfb_size = (uint32_t)DIV_ROUND_UP((uint64_t)d->pitch * d->height, 65536UL);
        info->u.vesa_lfb.red_pos = d->rgb[0].pos;
        info->u.vesa_lfb.red_size = d->rgb[0].size;
        info->u.vesa_lfb.green_pos = d->rgb[1].pos;
        info->u.vesa_lfb.green_size = d->rgb[1].size;
        info->u.vesa_lfb.blue_pos = d->rgb[2].pos;
        info->u.vesa_lfb.blue_size = d->rgb[2].size;
    } else if (d->type == BOOT_DISPLAY_TEXT || (d->type == BOOT_DISPLAY_NONE && !none)) {
        info->video_type = XEN_VGATYPE_TEXT_MODE_3;
        info->u.text_mode_3.font_height = 16;
        info->u.text_mode_3.rows = ROWS;
        info->u.text_mode_3.columns = COLUMNS;
        info->u.text_mode_3.cursor_x = (uint16_t)(cursor() % COLUMNS);
        info->u.text_mode_3.cursor_y = (uint16_t)(cursor() / COLUMNS);
    } else {
        return 0;
    }
    return sizeof(*info);
}

void vga_release(void)
{
    screen = NULL;
}
