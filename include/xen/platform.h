/* SPDX-License-Identifier: MIT */
/* Guest ABI: platform_op, by which the control domain's kernel handles the machine's hardware. */
#ifndef __XEN_PUBLIC_PLATFORM_H__
#define __XEN_PUBLIC_PLATFORM_H__

#include "xen.h"

/* xen_platform_op.interface_version must be this. */
#define XENPF_INTERFACE_VERSION 0x03000001

/* xen_platform_op.cmd */
#define XENPF_settime32            17 /* u.settime32 */
#define XENPF_add_memtype          31 /* u.add_memtype: MTRRs */
#define XENPF_del_memtype          32 /* u.del_memtype */
#define XENPF_read_memtype         33 /* u.read_memtype */
#define XENPF_microcode_update     35 /* u.microcode */
#define XENPF_platform_quirk       39 /* u.platform_quirk */
#define XENPF_get_cpu_version      48 /* u.pcpu_version */
#define XENPF_efi_runtime_call     49 /* u.efi_runtime_call */
#define XENPF_firmware_info        50 /* u.firmware_info */
#define XENPF_enter_acpi_sleep     51 /* u.enter_acpi_sleep */
#define XENPF_change_freq          52 /* u.change_freq */
#define XENPF_getidletime          53 /* u.getidletime */
#define XENPF_set_processor_pminfo 54 /* u.set_pminfo */
#define XENPF_get_cpuinfo          55 /* u.pcpu_info */
#define XENPF_cpu_online           56 /* u.cpu_ol */
#define XENPF_cpu_offline          57 /* u.cpu_ol */
#define XENPF_cpu_hotadd           58 /* u.cpu_add */
#define XENPF_mem_hotadd           59 /* u.mem_add */
#define XENPF_core_parking         60 /* u.core_parking */
#define XENPF_resource_op          61 /* u.resource_op */
#define XENPF_settime64            62 /* u.settime64 */
#define XENPF_get_symbol           63 /* u.symdata */
#define XENPF_settime              XENPF_settime64
#define xenpf_settime              xenpf_settime64

/* xenpf_platform_quirk.quirk_id */
#define QUIRK_NOIRQBALANCING     1
#define QUIRK_IOAPIC_BAD_REGSEL  2
#define QUIRK_IOAPIC_GOOD_REGSEL 3

/* xenpf_efi_runtime_call.function */
#define XEN_EFI_get_time                      1
#define XEN_EFI_set_time                      2
#define XEN_EFI_get_wakeup_time               3
#define XEN_EFI_set_wakeup_time               4
#define XEN_EFI_get_next_high_monotonic_count 5
#define XEN_EFI_get_variable                  6
#define XEN_EFI_set_variable                  7
#define XEN_EFI_get_next_variable_name        8
#define XEN_EFI_query_variable_info           9
#define XEN_EFI_query_capsule_capabilities    10
#define XEN_EFI_update_capsule                11

/* xenpf_efi_runtime_call.misc, by function */
#define XEN_EFI_GET_TIME_SET_CLEARS_NS      0x00000001
#define XEN_EFI_GET_WAKEUP_TIME_ENABLED     0x00000001
#define XEN_EFI_GET_WAKEUP_TIME_PENDING     0x00000002
#define XEN_EFI_SET_WAKEUP_TIME_ENABLE      0x00000001
#define XEN_EFI_SET_WAKEUP_TIME_ENABLE_ONLY 0x00000002
#define XEN_EFI_VARIABLE_NON_VOLATILE       0x00000001
#define XEN_EFI_VARIABLE_BOOTSERVICE_ACCESS 0x00000002
#define XEN_EFI_VARIABLE_RUNTIME_ACCESS     0x00000004
#define XEN_EFI_VARINFO_BOOT_SNAPSHOT       0x00000001

/* xenpf_firmware_info.type */
#define XEN_FW_DISK_INFO          1 /* INT 13h, by drive */
#define XEN_FW_DISK_MBR_SIGNATURE 2
#define XEN_FW_VBEDDC_INFO        3
#define XEN_FW_EFI_INFO           4
#define XEN_FW_KBD_SHIFT_FLAGS    5

/* xenpf_firmware_info.index for XEN_FW_EFI_INFO */
#define XEN_FW_EFI_VERSION          0
#define XEN_FW_EFI_CONFIG_TABLE     1
#define XEN_FW_EFI_VENDOR           2
#define XEN_FW_EFI_MEM_INFO         3
#define XEN_FW_EFI_RT_VERSION       4
#define XEN_FW_EFI_PCI_ROM          5
#define XEN_FW_EFI_APPLE_PROPERTIES 6

/* xenpf_enter_acpi_sleep.flags: hardware-reduced sleep registers */
#define XENPF_ACPI_SLEEP_EXTENDED 0x00000001

/* Processor power management: what may be uploaded, and what one upload is */
#define XEN_PROCESSOR_PM_CX 1
#define XEN_PROCESSOR_PM_PX 2
#define XEN_PROCESSOR_PM_TX 4
#define XEN_PM_CX           0
#define XEN_PM_PX           1
#define XEN_PM_TX           2
#define XEN_PM_PDC          3

/* xen_processor_performance.flags: parts that are present */
#define XEN_PX_PCT 1
#define XEN_PX_PSS 2
#define XEN_PX_PPC 4
#define XEN_PX_PSD 8

/* xen_processor_performance.shared_type: who coordinates a frequency domain */
#define XEN_CPUPERF_SHARED_TYPE_HW  1
#define XEN_CPUPERF_SHARED_TYPE_ALL 2
#define XEN_CPUPERF_SHARED_TYPE_ANY 3

/* xenpf_pcpuinfo.flags */
#define XEN_PCPU_FLAGS_ONLINE  1
#define XEN_PCPU_FLAGS_INVALID 2 /* no such CPU */

/* xenpf_core_parking.type */
#define XEN_CORE_PARKING_SET 1
#define XEN_CORE_PARKING_GET 2

/* xenpf_resource_entry.u.cmd */
#define XEN_RESOURCE_OP_MSR_READ  0
#define XEN_RESOURCE_OP_MSR_WRITE 1

#ifndef __ASSEMBLY__

/* Wall clock at system_time (ns since boot). The mbz of the 64-bit form must be zero. */
struct xenpf_settime32 {
    uint32_t secs;
    uint32_t nsecs;
    uint64_t system_time;
};
typedef struct xenpf_settime32 xenpf_settime32_t;
XEN_ABI_SIZE(struct xenpf_settime32, 16);

struct xenpf_settime64 {
    uint64_t secs;
    uint32_t nsecs;
    uint32_t mbz;
    uint64_t system_time;
};
typedef struct xenpf_settime64 xenpf_settime64_t;
typedef struct xenpf_settime64 xenpf_settime_t;
XEN_ABI_SIZE(struct xenpf_settime64, 24);

struct xenpf_add_memtype {
    xen_pfn_t mfn;
    uint64_t nr_mfns;
    uint32_t type;
    uint32_t handle; /* out */
    uint32_t reg;    /* out */
};
typedef struct xenpf_add_memtype xenpf_add_memtype_t;
XEN_ABI_SIZE(struct xenpf_add_memtype, 32);

struct xenpf_del_memtype {
    uint32_t handle;
    uint32_t reg;
};
typedef struct xenpf_del_memtype xenpf_del_memtype_t;
XEN_ABI_SIZE(struct xenpf_del_memtype, 8);

struct xenpf_read_memtype {
    uint32_t reg;
    xen_pfn_t mfn;    /* out, as the rest */
    uint64_t nr_mfns; /* 0: register unused */
    uint32_t type;
};
typedef struct xenpf_read_memtype xenpf_read_memtype_t;
XEN_ABI_SIZE(struct xenpf_read_memtype, 32);

struct xenpf_microcode_update {
    XEN_GUEST_HANDLE(const_void) data;
    uint32_t length;
};
typedef struct xenpf_microcode_update xenpf_microcode_update_t;
XEN_ABI_SIZE(struct xenpf_microcode_update, 16);

struct xenpf_platform_quirk {
    uint32_t quirk_id; /* QUIRK_* */
};
typedef struct xenpf_platform_quirk xenpf_platform_quirk_t;
XEN_ABI_SIZE(struct xenpf_platform_quirk, 4);

struct xenpf_efi_time {
    uint16_t year;
    uint8_t month;
    uint8_t day;
    uint8_t hour;
    uint8_t min;
    uint8_t sec;
    uint32_t ns;
    int16_t tz;
    uint8_t daylight;
};
XEN_ABI_SIZE(struct xenpf_efi_time, 16);

struct xenpf_efi_guid {
    uint32_t data1;
    uint16_t data2;
    uint16_t data3;
    uint8_t data4[8];
};
XEN_ABI_SIZE(struct xenpf_efi_guid, 16);

/* Calls a UEFI runtime service for the control domain; status is the firmware's answer. */
struct xenpf_efi_runtime_call {
    uint32_t function; /* XEN_EFI_* */
    uint32_t misc;     /* flags or small values by function, in or out */
    xen_ulong_t status;
    union {
        struct {
            struct xenpf_efi_time time;
            uint32_t resolution;
            uint32_t accuracy;
        } get_time;
        struct xenpf_efi_time set_time;
        struct xenpf_efi_time get_wakeup_time;
        struct xenpf_efi_time set_wakeup_time;
        struct {
            XEN_GUEST_HANDLE(void) name; /* 16-bit characters, zero-terminated */
            xen_ulong_t size;
            XEN_GUEST_HANDLE(void) data;
            struct xenpf_efi_guid vendor_guid;
        } get_variable, set_variable;
        struct {
            xen_ulong_t size;
            XEN_GUEST_HANDLE(void) name;
            struct xenpf_efi_guid vendor_guid;
        } get_next_variable_name;
        struct {
            uint32_t attr;
            uint64_t max_store_size;
            uint64_t remain_store_size;
            uint64_t max_size;
        } query_variable_info;
        struct {
            XEN_GUEST_HANDLE(void) capsule_header_array;
            xen_ulong_t capsule_count;
            uint64_t max_capsule_size;
            uint32_t reset_type;
        } query_capsule_capabilities;
        struct {
            XEN_GUEST_HANDLE(void) capsule_header_array;
            xen_ulong_t capsule_count;
            uint64_t sg_list;
        } update_capsule;
    } u;
};
typedef struct xenpf_efi_runtime_call xenpf_efi_runtime_call_t;
XEN_ABI_SIZE(struct xenpf_efi_runtime_call, 56);

/* What the firmware told at boot, which the control domain can no longer ask for itself. */
struct xenpf_firmware_info {
    uint32_t type;  /* XEN_FW_* */
    uint32_t index; /* drive, or XEN_FW_EFI_* */
    union {
        struct {
            uint8_t device;
            uint8_t version;
            uint16_t interface_support;
            uint16_t legacy_max_cylinder;
            uint8_t legacy_max_head;
            uint8_t legacy_sectors_per_track;
            XEN_GUEST_HANDLE(void) edd_params;
        } disk_info;
        struct {
            uint8_t device;
            uint32_t mbr_signature;
        } disk_mbr_signature;
        struct {
            uint8_t capabilities;
            uint8_t edid_transfer_time;
            XEN_GUEST_HANDLE(uint8) edid; /* 128 bytes */
        } vbeddc_info;
        union xenpf_efi_info {
            uint32_t version;
            struct {
                uint64_t addr;
                uint32_t nent;
            } cfg;
            struct {
                uint32_t revision;
                uint32_t bufsz; /* bytes of name */
                XEN_GUEST_HANDLE(void) name;
            } vendor;
            struct {
                uint64_t addr;
                uint64_t size;
                uint64_t attr;
                uint32_t type;
            } mem;
            struct {
                uint16_t segment;
                uint8_t bus;
                uint8_t devfn;
                uint16_t vendor;
                uint16_t devid;
                uint64_t address;
                xen_ulong_t size;
            } pci_rom;
            struct {
                uint64_t address;
                xen_ulong_t size;
            } apple_properties;
        } efi_info;
        uint8_t kbd_shift_flags;
    } u;
};
typedef struct xenpf_firmware_info xenpf_firmware_info_t;
XEN_ABI_SIZE(struct xenpf_firmware_info, 40);

/* Values for the two ACPI sleep registers (PM1a and PM1b control, or sleep control and status). */
struct xenpf_enter_acpi_sleep {
    uint16_t val_a;
    uint16_t val_b;
    uint32_t sleep_state; /* 1-5 */
    uint32_t flags;       /* XENPF_ACPI_SLEEP_* */
};
typedef struct xenpf_enter_acpi_sleep xenpf_enter_acpi_sleep_t;
XEN_ABI_SIZE(struct xenpf_enter_acpi_sleep, 12);

struct xenpf_change_freq {
    uint32_t flags; /* 0 */
    uint32_t cpu;
    uint64_t freq; /* Hz */
};
typedef struct xenpf_change_freq xenpf_change_freq_t;
XEN_ABI_SIZE(struct xenpf_change_freq, 16);

/* ns of idleness of each CPU in the map since boot, at system time now. */
struct xenpf_getidletime {
    XEN_GUEST_HANDLE(uint8) cpumap_bitmap; /* in: wanted; out: given */
    uint32_t cpumap_nr_cpus;
    XEN_GUEST_HANDLE(uint64) idletime;
    uint64_t now; /* out */
};
typedef struct xenpf_getidletime xenpf_getidletime_t;
XEN_ABI_SIZE(struct xenpf_getidletime, 32);

/* ACPI processor objects, as the control domain parsed them */
struct xen_power_register {
    uint32_t space_id;
    uint32_t bit_width;
    uint32_t bit_offset;
    uint32_t access_size;
    uint64_t address;
};
XEN_ABI_SIZE(struct xen_power_register, 24);

struct xen_processor_csd {
    uint32_t domain;
    uint32_t coord_type;
    uint32_t num;
};
typedef struct xen_processor_csd xen_processor_csd_t;
DEFINE_XEN_GUEST_HANDLE(xen_processor_csd_t);
XEN_ABI_SIZE(struct xen_processor_csd, 12);

struct xen_processor_cx {
    struct xen_power_register reg;
    uint8_t type;
    uint32_t latency;
    uint32_t power;
    uint32_t dpcnt;
    XEN_GUEST_HANDLE(xen_processor_csd_t) dp;
};
typedef struct xen_processor_cx xen_processor_cx_t;
DEFINE_XEN_GUEST_HANDLE(xen_processor_cx_t);
XEN_ABI_SIZE(struct xen_processor_cx, 48);

struct xen_processor_flags {
    uint32_t bm_control : 1;
    uint32_t bm_check : 1;
    uint32_t has_cst : 1;
    uint32_t power_setup_done : 1;
    uint32_t bm_rld_set : 1;
};
XEN_ABI_SIZE(struct xen_processor_flags, 4);

struct xen_processor_power {
    uint32_t count;
    struct xen_processor_flags flags;
    XEN_GUEST_HANDLE(xen_processor_cx_t) states;
};
XEN_ABI_SIZE(struct xen_processor_power, 16);

struct xen_pct_register {
    uint8_t descriptor;
    uint16_t length;
    uint8_t space_id;
    uint8_t bit_width;
    uint8_t bit_offset;
    uint8_t reserved;
    uint64_t address;
};
XEN_ABI_SIZE(struct xen_pct_register, 16);

struct xen_processor_px {
    uint64_t core_frequency; /* MHz */
    uint64_t power;
    uint64_t transition_latency;
    uint64_t bus_master_latency;
    uint64_t control;
    uint64_t status;
};
typedef struct xen_processor_px xen_processor_px_t;
DEFINE_XEN_GUEST_HANDLE(xen_processor_px_t);
XEN_ABI_SIZE(struct xen_processor_px, 48);

struct xen_psd_package {
    uint64_t num_entries;
    uint64_t revision;
    uint64_t domain;
    uint64_t coord_type;
    uint64_t num_processors;
};
XEN_ABI_SIZE(struct xen_psd_package, 40);

struct xen_processor_performance {
    uint32_t flags; /* XEN_PX_* */
    uint32_t platform_limit;
    struct xen_pct_register control_register;
    struct xen_pct_register status_register;
    uint32_t state_count;
    XEN_GUEST_HANDLE(xen_processor_px_t) states;
    struct xen_psd_package domain_info;
    uint32_t shared_type; /* XEN_CPUPERF_* */
};
typedef struct xen_processor_performance xen_processor_performance_t;
DEFINE_XEN_GUEST_HANDLE(xen_processor_performance_t);
XEN_ABI_SIZE(struct xen_processor_performance, 104);

struct xenpf_set_processor_pminfo {
    uint32_t id;   /* ACPI id */
    uint32_t type; /* XEN_PM_* */
    union {
        struct xen_processor_power power;
        struct xen_processor_performance perf;
        XEN_GUEST_HANDLE(uint32) pdc;
    } u;
};
typedef struct xenpf_set_processor_pminfo xenpf_set_processor_pminfo_t;
XEN_ABI_SIZE(struct xenpf_set_processor_pminfo, 112);

struct xenpf_pcpuinfo {
    uint32_t xen_cpuid;   /* in */
    uint32_t max_present; /* out: highest number of a CPU */
    uint32_t flags;       /* out: XEN_PCPU_FLAGS_* */
    uint32_t apic_id;     /* out */
    uint32_t acpi_id;     /* out */
};
typedef struct xenpf_pcpuinfo xenpf_pcpuinfo_t;
XEN_ABI_SIZE(struct xenpf_pcpuinfo, 20);

struct xenpf_pcpu_version {
    uint32_t xen_cpuid;   /* in */
    uint32_t max_present; /* out, as the rest */
    char vendor_id[12];
    uint32_t family;
    uint32_t model;
    uint32_t stepping;
};
typedef struct xenpf_pcpu_version xenpf_pcpu_version_t;
XEN_ABI_SIZE(struct xenpf_pcpu_version, 32);

struct xenpf_cpu_ol {
    uint32_t cpuid;
};
typedef struct xenpf_cpu_ol xenpf_cpu_ol_t;
XEN_ABI_SIZE(struct xenpf_cpu_ol, 4);

struct xenpf_cpu_hotadd {
    uint32_t apic_id;
    uint32_t acpi_id;
    uint32_t pxm; /* ACPI proximity domain */
};
typedef struct xenpf_cpu_hotadd xenpf_cpu_hotadd_t;
XEN_ABI_SIZE(struct xenpf_cpu_hotadd, 12);

struct xenpf_mem_hotadd {
    uint64_t spfn; /* first frame */
    uint64_t epfn; /* frame after the last */
    uint32_t pxm;
    uint32_t flags;
};
typedef struct xenpf_mem_hotadd xenpf_mem_hotadd_t;
XEN_ABI_SIZE(struct xenpf_mem_hotadd, 24);

struct xenpf_core_parking {
    uint32_t type; /* XEN_CORE_PARKING_* */
    uint32_t idle_nums;
};
typedef struct xenpf_core_parking xenpf_core_parking_t;
XEN_ABI_SIZE(struct xenpf_core_parking, 8);

struct xenpf_resource_entry {
    union {
        uint32_t cmd; /* in: XEN_RESOURCE_OP_* */
        int32_t ret;  /* out: error of this entry */
    } u;
    uint32_t rsvd;
    uint64_t idx; /* MSR */
    uint64_t val;
};
typedef struct xenpf_resource_entry xenpf_resource_entry_t;
DEFINE_XEN_GUEST_HANDLE(xenpf_resource_entry_t);
XEN_ABI_SIZE(struct xenpf_resource_entry, 24);

struct xenpf_resource_op {
    uint32_t nr_entries;
    uint32_t cpu;
    XEN_GUEST_HANDLE(xenpf_resource_entry_t) entries;
};
typedef struct xenpf_resource_op xenpf_resource_op_t;
XEN_ABI_SIZE(struct xenpf_resource_op, 16);

/* One symbol of the hypervisor image. */
struct xenpf_symdata {
    uint32_t namelen; /* in: room; out: length with the final zero */
    uint32_t symnum;  /* in: which; out: the next one */
    XEN_GUEST_HANDLE(char) name;
    uint64_t address;
    char type;
};
typedef struct xenpf_symdata xenpf_symdata_t;
XEN_ABI_SIZE(struct xenpf_symdata, 32);

/* platform_op(this) */
struct xen_platform_op {
    uint32_t cmd;
    uint32_t interface_version;
    union {
        xenpf_settime_t settime;
        xenpf_settime32_t settime32;
        xenpf_settime64_t settime64;
        xenpf_add_memtype_t add_memtype;
        xenpf_del_memtype_t del_memtype;
        xenpf_read_memtype_t read_memtype;
        xenpf_microcode_update_t microcode;
        xenpf_platform_quirk_t platform_quirk;
        xenpf_efi_runtime_call_t efi_runtime_call;
        xenpf_firmware_info_t firmware_info;
        xenpf_enter_acpi_sleep_t enter_acpi_sleep;
        xenpf_change_freq_t change_freq;
        xenpf_getidletime_t getidletime;
        xenpf_set_processor_pminfo_t set_pminfo;
        xenpf_pcpuinfo_t pcpu_info;
        xenpf_pcpu_version_t pcpu_version;
        xenpf_cpu_ol_t cpu_ol;
        xenpf_cpu_hotadd_t cpu_add;
        xenpf_mem_hotadd_t mem_add;
        xenpf_core_parking_t core_parking;
        xenpf_resource_op_t resource_op;
        xenpf_symdata_t symdata;
        uint8_t pad[128];
    } u;
};
typedef struct xen_platform_op xen_platform_op_t;
DEFINE_XEN_GUEST_HANDLE(xen_platform_op_t);
XEN_ABI_SIZE(struct xen_platform_op, 136);

#endif /* !__ASSEMBLY__ */
#endif
