#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Are our guest ABI headers the same ABI as the ones the Xen project ships?

Every header in include/xen is compared with its namesake of Debian's libxen-dev. What is compared
is taken from the headers themselves, so nothing can be forgotten: the preprocessor lists all
constants, a small parser lists all types and members. From that list one C program is written, and
compiled twice, against either set of headers. It prints values, sizes, offsets and the kinds of
integers; the two outputs must be equal. The other way round, whatever libxen-dev has and we have
not must be named, with a reason, in the file `omitted`.

Takes no arguments. Prints TAP. Works in ${O:-build}/tests/abi.
"""

import fnmatch
import glob
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HERE = os.path.join(ROOT, "tests", "abi")
OUT = os.path.join(os.path.join(ROOT, os.environ.get("O") or "build"), "tests", "abi")
CC = os.environ.get("CC") or "gcc"
FLAGS = ["-std=gnu11", "-D__XEN_TOOLS__"]
SIDES = {
    "ours": (os.path.join(ROOT, "include", "xen"), ["-I", os.path.join(ROOT, "include")]),
    "theirs": ("/usr/include/xen", []),
}
# libxen-dev's headers whose contents are in another one of ours.
MERGED = ["arch-x86/xen-x86_64.h"]
# Macros with parameters, each used once; they can not be called without knowing how.
CALLS = {
    "arch-x86/xen.h": ["xen_mk_uint(3)", "xen_mk_ulong(3)", "xen_mk_ullong(3)",
                       "xen_pfn_to_cr3(0x123456789aUL)", "xen_cr3_to_pfn(0x123456789abcUL)",
                       "TI_GET_DPL(&(trap_info_t){ .flags = 0xff })",
                       "TI_GET_IF(&(trap_info_t){ .flags = 0xff })",
                       "TI_SET_DPL(&(trap_info_t){ .flags = 0x10 }, 2)",
                       "TI_SET_IF(&(trap_info_t){ .flags = 0x10 }, 9)"],
    "arch-x86/cpuid.h": ["XEN_CPUID_LEAF(2)"],
    "domctl.h": ["XEN_DOMCTL_GRANT_version(0x1234)"],
    "io/console.h": ["MASK_XENCONS_IDX(5000, ((struct xencons_interface *)0)->out)"],
    "io/xs_wire.h": ["MASK_XENSTORE_IDX(5000)"],
    "memory.h": ["XENMEMF_address_bits(40)", "XENMEMF_get_address_bits(0x12345)",
                 "XENMEMF_node(5)", "XENMEMF_get_node(0x1234)", "XENMEMF_exact_node(5)",
                 "XENMEM_resource_ioreq_server_frame_ioreq(7)"],
    "vcpu.h": ["xen_vcpu_physid_to_x86_apicid(0x123456789abcdef0UL)",
               "xen_vcpu_physid_to_x86_acpiid(0x123456789abcdef0UL)"],
}
# Macros with parameters that make declarations or statements; the types they make are compared.
NOT_VALUES = """XEN_ABI_SIZE XEN_GUEST_HANDLE XEN_GUEST_HANDLE_64 XEN_GUEST_HANDLE_PARAM
    __XEN_GUEST_HANDLE XEN_ONE_GUEST_HANDLE_ DEFINE_XEN_GUEST_HANDLE __DEFINE_XEN_GUEST_HANDLE
    set_xen_guest_handle set_xen_guest_handle_raw xen_mk_suffix_""".split()
# Headers of the packaged libraries, which programs compile against our ABI headers.
LIBRARIES = ["xencall.h", "xenevtchn.h", "xengnttab.h", "xenforeignmemory.h", "xentoollog.h",
             "xendevicemodel.h", "xenstore.h", "xenctrl.h"]
# libxen-dev's ABI headers that we have no need to replace; they must mix with ours.
UNREPLACED = ["hvm/params.h", "hvm/dm_op.h", "sys/privcmd.h", "sys/evtchn.h", "sys/gntdev.h",
              "io/ring.h", "io/blkif.h", "io/netif.h", "io/xenbus.h"]
# Assembly sees other expansions of some macros: data that must come out as the same bytes.
ASM = ["XEN_CPUID", ".quad HYPERVISOR_VIRT_START", ".quad MACH2PHYS_VIRT_START",
       ".quad MACH2PHYS_NR_ENTRIES", ".quad DOMID_SELF", ".quad UVMF_ALL",
       ".quad __HYPERVISOR_iret", ".quad FLAT_KERNEL_CS", ".quad FIRST_RESERVED_GDT_ENTRY",
       ".quad VGCF_in_syscall", ".quad XENFEAT_dom0"]

PROLOGUE = r"""
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <xen/sysctl.h>
#include <xen/%s>

#define KIND(x) _Generic((x), char: "char", signed char: "i8", unsigned char: "u8", \
    short: "i16", unsigned short: "u16", int: "i32", unsigned: "u32", \
    long: "i64", unsigned long: "u64", long long: "i64", unsigned long long: "u64", default: "-")
#define CONST(x) printf("%%s = %%lld (%%s)\n", #x, (long long)(x), KIND(x))
#define STRING(x) printf("%%s = '%%s'\n", #x, x)
#define WORD_(x) #x
#define WORD(x) printf("%%s = %%s\n", #x, WORD_(x))
#define TYPE(t) printf("%%s: %%s, size %%zu, align %%zu\n", #t, KIND(*(t *)0), sizeof(t), \
    _Alignof(t))
#define FIELD(t, m) printf("%%s.%%s: at %%zu, %%s, size %%zu\n", #t, #m, offsetof(t, m), \
    KIND(((t *)0)->m), sizeof(((t *)0)->m))
#define ARRAY(t, m) printf("%%s.%%s: at %%zu, array of %%s, size %%zu\n", #t, #m, offsetof(t, m), \
    KIND(((t *)0)->m[0]), sizeof(((t *)0)->m))
#define FLEX(t, m) printf("%%s.%%s: at %%zu, open array of %%s\n", #t, #m, offsetof(t, m), \
    KIND(((t *)0)->m[0]))
#define BITS(t, m) do { t v; memset(&v, 0, sizeof(v)); v.m = ~0; printf("%%s.%%s: bits", #t, #m); \
    for (size_t i = 0; i < sizeof(v); i++) printf(" %%02x", ((unsigned char *)&v)[i]); \
    puts(""); } while (0)

int main(void)
{
"""


class Failed(Exception):
    """A tool said no; the text is what it said."""


def run(*cmd, text=None):
    got = subprocess.run(cmd, input=text, capture_output=True, text=True)
    if got.returncode:
        raise Failed(got.stderr)
    return got.stdout


class Header:
    """What one header, and not those it includes, contributes on one side.

    macros    {name: (has parameters, body)} without empty ones (guards)
    types     Types
    words     every identifier that is visible after including it
    """

    def __init__(self, side, name):
        home, include = SIDES[side]
        out = run(CC, *FLAGS, *include, "-E", "-dD", "-x", "c", "-",
                  text="#include <stdint.h>\n#include <xen/sysctl.h>\n#include <xen/%s>\n" % name)
        text, self.macros, self.all_macros, mine = [], {}, set(), False
        for line in out.splitlines():
            mark = re.match(r'# \d+ "([^"]*)"', line)
            define = re.match(r"#define (\w+)(\([^)]*\))?(.*)", line)
            if mark:
                mine = os.path.normpath(mark.group(1)) == os.path.join(home, name)
            elif define:
                word, params, body = define.groups()
                self.all_macros.add(word)
                if mine and body.strip():
                    self.macros[word] = (params is not None, body.strip())
            elif mine and not line.startswith("#"):
                text.append(line)
        self.types = Types("\n".join(text))
        self.words = set(re.findall(r"\w+", out))

    def questions(self, name):
        """Lines of main() which print all there is to know about this header."""
        lines = []
        for word, (params, body) in self.macros.items():
            if params:
                if word not in NOT_VALUES and not any(
                        call.startswith(word + "(") for call in CALLS.get(name, [])):
                    raise Failed("%s has parameters: add a call to CALLS" % word)
                continue
            end = word
            while self.macros.get(end, (True, ""))[0] is False:
                if not re.fullmatch(r"[A-Za-z_]\w*", self.macros[end][1]):
                    break
                end = self.macros[end][1]
            if end not in self.all_macros:
                lines.append("WORD(%s)" % word)          # another name for a type or a member
            elif re.match(r'"|XEN_EMULATE_PREFIX', body):
                lines.append("STRING(%s)" % word)
            else:
                lines.append("CONST(%s)" % word)
        lines += ["CONST(%s)" % word for word in self.types.enums]
        lines += ["CONST(%s)" % call for call in CALLS.get(name, [])]
        lines += ["TYPE(%s)" % t for t in self.types.names]
        lines += ["%s(%s, %s)" % (form, t, path) for t, path, form in self.types.fields]
        return lines

    def contents(self):
        """All names, without struct or union, members as type.member: for `omitted`."""
        got = set(self.macros) | set(self.types.enums) | set(self.types.names)
        got |= {"%s.%s" % (t, path) for t, path, _ in self.types.fields}
        return {re.sub(r"^(struct|union) ", "", name) for name in got}


class Types:
    """Finds the types a preprocessed header declares.

    `names` has what can be asked for its size, `fields` the members as (type, path, form) with a
    form of FIELD, ARRAY, FLEX or BITS, `enums` the enumeration constants.
    """

    def __init__(self, text):
        self.tok = re.findall(r"\w+|\S", text)
        self.pos = 0
        self.names, self.fields, self.enums = [], [], []
        while self.pos < len(self.tok):
            self.declaration()

    def next(self):
        self.pos += 1
        return self.tok[self.pos - 1]

    def until(self, stops):
        """Tokens up to one of stops, brackets skipped as a whole; the stop is consumed."""
        depth, got = 0, []
        while True:
            t = self.next()
            if depth == 0 and t in stops:
                return got, t
            depth += (t in "([{") - (t in ")]}")
            got.append(t)

    def declaration(self):
        first = self.next()
        if first == ";":
            return
        if first == "_Static_assert":
            self.until(";")
            return
        typedef = first == "typedef"
        if typedef:
            first = self.next()
        members = None
        if first in ("struct", "union", "enum"):
            kind, tag = first, None
            if self.tok[self.pos] != "{":
                tag = self.next()
            if self.tok[self.pos] == "{":
                self.pos += 1
                if kind == "enum":
                    body, _ = self.until("}")
                    self.enums += re.findall(r"(?:^|,)(\w+)", "".join(body))
                else:
                    members = self.members()
                    if tag:
                        self.report("%s %s" % (kind, tag), members)
        declarator, _ = self.until(";")
        if typedef:
            name = [t for t in declarator if re.match(r"[A-Za-z_]\w*$", t)][-1]
            if members is not None and not tag:
                self.report(name, members)
            else:
                self.names.append(name)

    def report(self, name, members):
        self.names.append(name)
        self.fields += [(name, path, form) for path, form in members]

    def members(self):
        """Everything up to the closing brace, as [(path, form)]; the brace is consumed."""
        got = []
        while self.tok[self.pos] != "}":
            inner, type_words = [], []
            if self.tok[self.pos] in ("struct", "union"):
                kind, tag = self.next(), None
                if self.tok[self.pos] != "{":
                    tag = self.next()
                if self.tok[self.pos] == "{":
                    self.pos += 1
                    inner = self.members()
                    if tag:
                        self.report("%s %s" % (kind, tag), inner)
                declarators, stop = self.until(",;")
            else:
                type_words, stop = self.until(",;")
                declarators = type_words
            while True:
                got += self.declarator(declarators, inner)
                if stop == ";":
                    break
                declarators, stop = self.until(",;")
        self.pos += 1
        return got

    @staticmethod
    def declarator(words, inner):
        if not words:
            return inner                                  # anonymous: its members are ours
        if ":" in words:
            return [(words[words.index(":") - 1], "BITS")]
        if "[" in words:
            at = words.index("[")
            name, base = words[at - 1], words[at - 1] + "[0]"
            form = "FLEX" if words[at + 1] in ("]", "0") else "ARRAY"
        else:
            name = base = words[-1]
            form = "FIELD"
        return [(name, form)] + [("%s.%s" % (base, path), f) for path, f in inner]


def answers(side, name, lines):
    """Compiles the questions against one side's headers and returns what they print."""
    stem = os.path.join(OUT, "%s-%s" % (name.replace("/", "-")[:-2], side))
    with open(stem + ".c", "w") as f:
        f.write(PROLOGUE % name)
        f.writelines("    %s;\n" % line for line in lines)
        f.write("    return 0;\n}\n")
    run(CC, *FLAGS, "-w", *SIDES[side][1], "-o", stem, stem + ".c")
    return run(stem).splitlines()


def unequal(ours, theirs):
    return ["ours: %s\ntheirs: %s" % pair for pair in zip(ours, theirs) if pair[0] != pair[1]]


def differences(name):
    """(number of questions, lines that differ) of one header."""
    ours, theirs = Header("ours", name), Header("theirs", name)
    lines = ours.questions(name)
    asked = set(ours.macros) | set(ours.types.enums)
    unknown = [w for w in asked if w not in theirs.words and w not in NOT_VALUES]
    if unknown:
        return len(lines), ["not in libxen-dev: " + w for w in sorted(unknown)]
    us, them = answers("ours", name, lines), answers("theirs", name, lines)
    return len(lines), unequal(us, them)


def standing_alone(name):
    """A header needs no other before it, in C without a library, and in assembly."""
    include = SIDES["ours"][1]
    src = "#include <xen/%s>\n" % name
    run(CC, "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-ffreestanding", *include,
        "-fsyntax-only", "-x", "c", "-", text=src)
    run(CC, "-D__ASSEMBLY__", *include, "-c", "-o", os.devnull, "-x", "assembler-with-cpp", "-",
        text=src)
    return []


def living_together(header):
    """A header that was made for the other set compiles with ours, which is found first."""
    run(CC, *FLAGS, "-Werror", *SIDES["ours"][1], "-fsyntax-only", "-x", "c", "-",
        text="#include <stddef.h>\n#include <xen/xen.h>\n#include <xen/event_channel.h>\n"
             "#include <xen/grant_table.h>\n#include <%s>\n" % header)
    return []


def assembly():
    """Bytes that assembly makes of some macros, on both sides."""
    source = "\n".join(["#include <xen/xen.h>", "#include <xen/features.h>", *ASM, ""])
    seen = {}
    for side, (_, include) in SIDES.items():
        obj = os.path.join(OUT, "asm-%s.o" % side)
        run(CC, "-D__ASSEMBLY__", "-D__XEN_TOOLS__", *include, "-c", "-o", obj,
            "-x", "assembler-with-cpp", "-", text=source)
        if run("nm", "-u", obj):
            return ["not defined in assembly:\n" + run("nm", "-u", obj)]
        seen[side] = run("objdump", "-s", "-j", ".text", obj).splitlines()[3:]
    return unequal(seen["ours"], seen["theirs"])


def left_out(headers):
    """Per header of libxen-dev, what we lack and did not mean to; and reasons nobody needs."""
    with open(os.path.join(HERE, "omitted")) as f:
        rows = [line.split(None, 1) for line in f if line.strip() and line[0] != "#"]
    patterns, used = [row[0] for row in rows], set()
    ours = set().union(*(Header("ours", name).contents() for name in headers))
    found = {}
    for name in headers + MERGED:
        found[name] = []
        missing = Header("theirs", name).contents() - ours
        for word in sorted(missing):
            if any(word.startswith(other + ".") for other in missing):
                continue                                  # a member of what is missing as a whole
            fits = [p for p in patterns if fnmatch.fnmatchcase(word, p)]
            used.update(fits)
            if not fits:
                found[name].append("not in include/xen, nor in tests/abi/omitted: " + word)
    found["omitted"] = ["fits nothing: " + p for p in patterns if p not in used]
    return found


class Tap:
    count = failed = 0

    def check(self, what, test, *args):
        """One line of TAP. test returns the reasons to fail, or (comparisons made, reasons)."""
        try:
            reasons = test(*args)
            if isinstance(reasons, tuple):
                what, reasons = "%s (%d comparisons)" % (what, reasons[0]), reasons[1]
        except Failed as e:
            reasons = ["\n".join(str(e).splitlines()[:20])]
        self.count += 1
        self.failed += bool(reasons)
        print("%sok %d - %s" % ("not " if reasons else "", self.count, what))
        for line in "\n".join(reasons).splitlines():
            print("# " + line)


def main():
    for home, _ in SIDES.values():
        if not os.path.exists(os.path.join(home, "xen.h")):
            print("Bail out! No %s/xen.h (libxen-dev has /usr/include/xen)" % home)
            return 1
    os.makedirs(OUT, exist_ok=True)
    home = SIDES["ours"][0]
    headers = sorted(os.path.relpath(p, home) for p in glob.glob(home + "/**/*.h", recursive=True))
    tap = Tap()
    for name in headers:
        tap.check("%s says the same as libxen-dev's" % name, differences, name)
        tap.check("%s stands alone" % name, standing_alone, name)
    for name in LIBRARIES + ["xen/" + name for name in UNREPLACED]:
        tap.check("%s compiles with our headers" % name, living_together, name)
    tap.check("assembly sees the same values", assembly)
    for name, reasons in left_out(headers).items():
        tap.check("%s: nothing left out unknowingly" % name, lambda r: r, reasons)
    print("1..%d" % tap.count)
    return 1 if tap.failed else 0


sys.exit(main())
