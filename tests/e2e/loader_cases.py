"""The loader's failures, one a row, and what its own words are on which libc: the events that a trace must have.

The rows are those of the measured table of breakpoints. An Error is one loader event of kind "error"; a row without any
on some libc is one whose words escape every breakpoint there, and nothing may be invented for it.
"""

import dataclasses

GLIBCS = ("2.31", "2.36", "2.41", "2.43")
LIBCS = (*GLIBCS, "musl")
ROOT_OF = {"2.31": "bullseye", "2.36": None, "2.41": "trixie", "2.43": "forky", "musl": "musl"}


@dataclasses.dataclass
class Error:
    outcome: str  # "fatal", "caught" or "warned"
    object: str | None  # as the loader has it
    format: str
    args: tuple = ()
    errno: str | None = None
    occasion: str | None = None  # None: any
    by: str | None = None  # whose dlopen or dlsym was answered


@dataclasses.dataclass
class Row:
    name: str
    what: str
    command: str
    errors: dict  # libc -> list of Error; a libc that is not in it does not have the row


OPENER, MUSL_OPENER = "/mnt/open/opener", "/mnt/musl/opener"
ABSENT = "cannot open shared object file"
UNDEFINED = "undefined symbol: %s%s%s"
VERSION = "version `%s' not found (required by %s)"


def everywhere(*errors):
    return {libc: list(errors) for libc in GLIBCS}


def fatal(object_, format_, *args, errno=None, occasion=None):
    return Error("fatal", object_, format_, args, errno, occasion)


def caught(object_, format_, *args, errno=None, occasion=None, by=OPENER):
    return Error("caught", object_, format_, args, errno, occasion, by)


def warned(object_, format_, *args, errno=None):
    return Error("warned", object_, format_, args, errno)


def undefined(how, object_, symbol, version=None):
    return how(object_, UNDEFINED, symbol, ", version " if version else "", version or "", occasion="symbol lookup error")


def start(folder):
    return f"/mnt/{folder}/prog"


def opening(name, *errors, verb="now"):
    return f"{OPENER} {verb} {name}", everywhere(*errors)


def opened(file, *errors, verb="now"):
    return opening(f"/mnt/open/{file}", *errors, verb=verb)


def at_start():
    dep = "/mnt/{}/libdep.so"
    return [
        Row("a", "a needed library is missing", start("missing"),
            everywhere(fatal("libdep.so", ABSENT, errno="ENOENT"))),
        Row("b", "a version is not defined", start("no-version"),
            everywhere(fatal(dep.format("no-version"), VERSION, "V2", start("no-version")))),
        Row("b'", "its version is defined, the symbol is not", start("no-symbol"),
            everywhere(undefined(fatal, start("no-symbol"), "dep", "V2"))),
        Row("b''", "the same, bound when it is called", start("no-symbol-lazy"),
            everywhere(undefined(fatal, start("no-symbol-lazy"), "dep", "V2"))),
        Row("b3", "the library has no versions", start("no-versions"),
            everywhere(warned(dep.format("no-versions"), "no version information available (required by %s)",
                              start("no-versions")))),
        Row("b4", "nor a table of its symbols' versions", start("no-tables"), no_tables(dep.format("no-tables"))),
        Row("c", "an undefined symbol", start("undefined"), everywhere(undefined(fatal, start("undefined"), "dep"))),
        Row("c'", "the same, bound when it is called", start("undefined-lazy"),
            everywhere(undefined(fatal, start("undefined-lazy"), "dep"))),
        Row("h", "a preloaded library is missing", f"env LD_PRELOAD=libnowhere.so {OPENER}",
            everywhere(warned("libnowhere.so", ABSENT, errno="ENOENT"))),
        Row("h2", "an auditing library is missing", f"env LD_AUDIT=libnowhere.so {OPENER}",
            everywhere(warned("libnowhere.so", ABSENT, errno="ENOENT"))),
        Row("i7", "a needed library is a text", start("bad"),
            everywhere(fatal(dep.format("bad"), "invalid ELF header"))),
    ]


ASSERTION = "Inconsistency detected by ld.so: %s: %u: %s%sAssertion `%s' failed!\n"


def assertion(*args):
    return fatal(None, ASSERTION, *args)


def no_tables(library):
    """An assertion up to some glibc, and 2.31 has no breakpoint for it."""
    warning = warned(library, "no version information available (required by %s)", start("no-tables"))
    failed = assertion("dl-lookup.c", "107", "check_match", ": ",
                       "version->filename == NULL || ! _dl_name_match_p (version->filename, map)")
    return everywhere(warning) | {"2.36": [warning, failed]}


def while_running():
    old = everywhere()
    return [
        Row("d", "dlopen of a missing name", *opening("libnowhere.so", caught("libnowhere.so", ABSENT, errno="ENOENT"))),
        Row("d path", "dlopen of a missing path",
            *opened("libnowhere.so", caught("/mnt/open/libnowhere.so", ABSENT, errno="ENOENT"))),
        Row("d2", "what it needs is missing", *opened("libmid.so", caught("libdep.so", ABSENT, errno="ENOENT"))),
        Row("d3", "dlopen with no valid mode",
            *opened("libgood.so", caught("/mnt/open/libgood.so", "invalid mode for dlopen()", errno="EINVAL"), verb="mode")),
        Row("d4", "it has an undefined symbol", *opened("libhole.so", undefined(caught, "/mnt/open/libhole.so", "hole"))),
        Row("e", "it needs a version that is not defined",
            *opened("libneeds.so", caught("/mnt/open/libnew.so", VERSION, "V2", "/mnt/open/libneeds.so"))),
        Row("f", "dlsym of a handle, RTLD_NEXT, RTLD_DEFAULT",
            *opened("libgood.so sym nothing next nothing2 default nothing3",
                    undefined(caught, "/mnt/open/libgood.so", "nothing"), undefined(caught, OPENER, "nothing2"),
                    undefined(caught, OPENER, "nothing3"))),
        Row("g", "dlvsym", *opened("libnew.so version dep", undefined(caught, "/mnt/open/libnew.so", "dep", "NO_1.0"))),
        Row("i text", "a text", *opened("libtext.so", caught("/mnt/open/libtext.so", "invalid ELF header"))),
        Row("i empty", "an empty file", *opened("libempty.so", caught("/mnt/open/libempty.so", "file too short"))),
        Row("i short", "half an ELF header", *opened("libshort.so", caught("/mnt/open/libshort.so", "file too short"))),
        Row("i4", "its segments are cut off: SIGBUS", *opened("libcut.so")),
        Row("i5", "another class", *opened("libclass.so", caught("/mnt/open/libclass.so", "wrong ELF class: ELFCLASS32"))),
        Row("i6", "another machine", *opened("libmachine.so", caught("/mnt/open/libmachine.so", ABSENT, errno="ENOENT"))),
        Row("j", "no static TLS is left",
            *opened("libtls.so", caught("/mnt/open/libtls.so", "cannot allocate memory in static TLS block"))),
        Row("k", "it wants an executable stack", f"{OPENER} now /mnt/open/libstack.so",
            old | dict.fromkeys(("2.41", "2.43"), [caught(
                "/mnt/open/libstack.so", "cannot enable executable stack as shared object requires", errno="EINVAL")])),
        Row("m", "dlclose of what is no handle",
            *opening("it", caught(None, "shared object not open"), verb="close")),
        Row("n", "an unknown relocation",
            *opened("libreloc.so", caught("/mnt/open/libreloc.so", "unexpected reloc type 0xf0"))),
        Row("n2", "it wants a better processor", f"{OPENER} now /mnt/open/libisa.so",
            everywhere(caught("/mnt/open/libisa.so", "CPU ISA level is lower than required", occasion="dlopen")) |
            {"2.31": []}),
    ]


def in_a_namespace():
    good = "/mnt/open/libgood.so"
    return [
        Row("l", "dlmopen of a missing name",
            *opening("libnowhere.so", caught("libnowhere.so", ABSENT, errno="ENOENT"), verb="space")),
        Row("l sym", "dlsym in a namespace", *opening(f"{good} sym nothing", undefined(caught, good, "nothing"), verb="space")),
        Row("l version", "a version that is not defined",
            *opening("/mnt/open/libneeds.so", caught("/mnt/open/libnew.so", VERSION, "V2", "/mnt/open/libneeds.so"),
                     verb="space")),
        Row("l4", "no namespace is left",
            *opening(good, caught(good, "no more namespaces available for dlmopen()", errno="EINVAL"), verb="often")),
    ]


def odd_loads():
    """The loader as a program, mixed C libraries, and what only writev(2) shows."""
    early = assertion("dl-call-libc-early-init.c", "37", "_dl_call_libc_early_init", ": ", "sym != NULL")
    mixed = {"2.31": [fatal("/lib64/ld-linux-x86-64.so.2", VERSION, "GLIBC_2.35", "/mnt/new/libc.so.6")],
             "2.36": [undefined(fatal, "/mnt/new/libc.so.6", "__tunable_is_initialized", "GLIBC_PRIVATE")],
             "2.41": [], "2.43": []}
    return [
        Row("n3", "the program wants a better processor", start("isa"),
            everywhere(fatal(None, "%s: CPU ISA level is lower than required\n", start("isa"))) | {"2.31": []}),
        Row("o1 old", "an older libc.so.6 is found first", f"env LD_LIBRARY_PATH=/mnt/old {start('skew')}",
            everywhere(early) | {"2.31": []}),
        Row("o1 new", "a newer libc.so.6 is found first", f"env LD_LIBRARY_PATH=/mnt/new {start('skew')}", mixed),
        Row("o3", "the loader is given a text", "/lib64/ld-linux-x86-64.so.2 /mnt/open/libtext.so",
            everywhere(fatal("/mnt/open/libtext.so", "invalid ELF header"))),
        Row("o5", "a copied variable has grown", start("copy"), everywhere()),
        Row("o8", "a static program opens a library", "/mnt/static/opener now libnowhere.so", everywhere()),
        Row("o9", "as ldd does", f"env LD_TRACE_LOADED_OBJECTS=1 {start('missing')}", everywhere()),
    ]


def unlucky_paths():
    return [
        Row("p noexec", "on a noexec mount",
            *opening("/mnt/noexec/libgood.so",
                     caught("/mnt/noexec/libgood.so", "failed to map segment from shared object"))),
        Row("p loop", "a loop of links", *opened("libloop.so", caught("/mnt/open/libloop.so", ABSENT, errno="ELOOP"))),
        Row("p dangling", "a dangling link",
            *opened("libdangling.so", caught("/mnt/open/libdangling.so", ABSENT, errno="ENOENT"))),
        Row("p folder", "a directory",
            *opened("libfolder.so", caught("/mnt/open/libfolder.so", "cannot read file data", errno="EISDIR"))),
        Row("p closed", "not readable", f"{OPENER} helpless x now /mnt/open/libclosed.so",
            everywhere(caught("/mnt/open/libclosed.so", ABSENT, errno="EACCES"))),
    ]


LOADING = "Error loading shared library %s: %m"
NEEDED = "Error loading shared library %s: %m (needed by %s)"
RELOCATING = "Error relocating %s: %s: symbol not found"
MUSL = {}  # row -> (command, [Error])


def musl_caught(object_, format_, *args, errno=None):
    return caught(object_, format_, *args, errno=errno, by=MUSL_OPENER)


def musl_opened(file, *errors, folder="/mnt/open/"):
    return f"{MUSL_OPENER} now {folder}{file}", list(errors)


def musl_loading(file, errno, folder="/mnt/open/"):
    return musl_opened(file, musl_caught(folder + file, LOADING, folder + file, errno=errno), folder=folder)


def musl_rows():
    hole, tls = "/mnt/open/libhole.so", "/mnt/open/libtls.so"
    missing, undef = "/mnt/musl/missing/prog", "/mnt/musl/undefined/prog"
    return {
        "a": (missing, [fatal("libdep.so", NEEDED, "libdep.so", missing, errno="ENOENT"),
                        fatal(missing, RELOCATING, missing, "dep")]),
        "c": (undef, [fatal(undef, RELOCATING, undef, "dep")]),
        "d": musl_loading("libnowhere.so", "ENOENT", folder=""),
        "d path": musl_loading("libnowhere.so", "ENOENT"),
        "d2": musl_opened("libmid.so", musl_caught("libdep.so", NEEDED, "libdep.so", "/mnt/open/libmid.so", errno="ENOENT")),
        "d4": musl_opened("libhole.so", musl_caught(hole, RELOCATING, hole, "hole")),
        "e": musl_opened("libneeds.so"),
        "f": musl_opened("libgood.so sym nothing next nothing2 default nothing3",
                         *[musl_caught(None, "Symbol not found: %s", n) for n in ("nothing", "nothing2", "nothing3")]),
        "h": (f"env LD_PRELOAD=libnowhere.so {MUSL_OPENER}", []),
        "i text": musl_loading("libtext.so", "ENOEXEC"),
        "i empty": musl_loading("libempty.so", "ENOEXEC"),
        "i5": musl_opened("libclass.so"),
        "i6": musl_opened("libmachine.so"),
        "j": musl_opened("libtls.so", musl_caught(
            tls, "Error relocating %s: %s: initial-exec TLS resolves to dynamic definition in %s", tls, "a", tls)),
        "p noexec": musl_loading("libgood.so", "EPERM", folder="/mnt/noexec/"),
        "p loop": musl_loading("libloop.so", "ELOOP"),
        "p dangling": musl_loading("libdangling.so", "ENOENT"),
        "p folder": musl_loading("libfolder.so", "EISDIR"),
        "p closed": (f"{MUSL_OPENER} helpless x now /mnt/open/libclosed.so", [musl_caught(
            "/mnt/open/libclosed.so", LOADING, "/mnt/open/libclosed.so", errno="EACCES")]),
    }


ROWS = [*at_start(), *while_running(), *in_a_namespace(), *odd_loads(), *unlucky_paths()]
MUSL = musl_rows()


def cells():
    """(row, libc, command, errors) of each cell that there is."""
    for row in ROWS:
        for libc, errors in row.errors.items():
            yield row, libc, row.command, errors
        if row.name in MUSL:
            yield row, "musl", *MUSL[row.name]
