/* Whole loads: objects, versions, symbols and dlopen batches of small programs. What the model says must be what the
 * real loader then does: it starts, or it ends with these words. */
#include "loadbed.h"

#include <errno.h>

static void make_bed(void)
{
    bed_make();
    put("x.c", "int x(void) { return 0; }\n");
    put("y.c", "int x(void); int y(void) { return x(); }\n");
    put("p.c", "int x(void); int main(void) { return x(); }\n");
    put("q.c", "int y(void); int main(void) { return y(); }\n");
    sh("cc -shared -fPIC x.c -o libx.so -Wl,-soname,libx.so");
    sh("cc -shared -fPIC y.c -o liby.so -L. -lx -Wl,-soname,liby.so");
}

static const char *const here[] = {"LD_LIBRARY_PATH=.", NULL};
static const char *const here_now[] = {"LD_LIBRARY_PATH=.", "LD_BIND_NOW=1", NULL};

/* Runs PROGRAM with ENV under the real loader. */
static char *really(const char *program, const char *const *env, int *status)
{
    char *command = xstrdup("env"), *text;

    for (; env && *env; env++) {
        char *longer = xasprintf("%s '%s'", command, *env);

        free(command);
        command = longer;
    }
    char *whole = xasprintf("%s ./%s", command, program);
    text = output_of(whole, status);
    free(whole);
    free(command);
    return text;
}

static void starts(const char *program, const char *const *env, const struct load *load)
{
    int status;
    CLEANUP_FREE char *text = really(program, env, &status);

    ck_assert_msg(status == 0, "%s: status %d: %s", program, status, text);
    for (size_t i = 0; i < load->fault_count; i++)
        ck_assert_msg(load->faults[i]->warning, "%s: %s of %s", program, load->faults[i]->name,
                      load->faults[i]->subject->path);
}

static void ends_with(const char *program, const char *const *env, int wanted_status, const char *words)
{
    int status;
    CLEANUP_FREE char *text = really(program, env, &status);

    ck_assert_msg(status == wanted_status && strstr(text, words), "%s: status %d: %s", program, status, text);
}

static const struct fault *only_fault(const struct load *load, enum fault_kind kind, const char *name,
                                      const char *subject)
{
    const struct fault *fault;

    ck_assert_uint_eq(load->fault_count, 1);
    fault = load->faults[0];
    ck_assert_int_eq(fault->kind, kind);
    ck_assert_str_eq(fault->name, name);
    ck_assert_str_eq(path_base(fault->subject->path), subject);
    return fault;
}

static size_t index_of(const struct load *load, const char *base)
{
    struct object *object = object_named(load, base);

    ck_assert_msg(object != NULL, "%s is not loaded", base);
    ck_assert_ptr_eq(load->objects[object->index], object);
    return object->index;
}

START_TEST(healthy)
{
    sh("cc q.c -o q -L. -ly -Wl,-rpath-link,.");
    struct load *load = load_with("q", here);

    starts("q", here, load);
    ck_assert_uint_eq(load->fault_count, 0);
    ck_assert_int_eq(load->family, LOADER_GLIBC);
    ck_assert_uint_eq(load->object_count, 5);
    ck_assert_uint_eq(index_of(load, "liby.so"), 1);
    ck_assert_uint_eq(index_of(load, "libc.so.6"), 2);
    ck_assert_uint_eq(index_of(load, "libx.so"), 3);
    ck_assert_ptr_eq(object_named(load, "libx.so")->loader, object_named(load, "liby.so"));
    ck_assert_int_eq(load->objects[4]->why, OBJECT_INTERP);
    ck_assert_int_eq(load->objects[1]->origin, ORIGIN_LIBRARY_PATH);
    ck_assert_ptr_eq(load_find(load, load->objects[3]->path), load->objects[3]);
    ck_assert_ptr_eq(load_find(load, "/nothing"), NULL);
    load_destroy(load);
}
END_TEST

START_TEST(missing_library)
{
    sh("cc p.c -o p -L. -lx; cc q.c -o q -L. -ly -Wl,-rpath-link,.; rm libx.so");
    struct load *load = load_with("p", here);
    const struct fault *fault = only_fault(load, FAULT_NOT_FOUND, "libx.so", "p");

    ends_with("p", here, 127, "libx.so: cannot open shared object file: No such file or directory");
    ck_assert_int_eq(fault->search.found, -1);
    ck_assert_int_eq(fault->search.fault, -1);
    ck_assert_uint_ge(fault->search.count, 3);
    ck_assert_str_eq(fault->search.places[0].why, "not there");
    load_destroy(load);

    load = load_with("q", here);
    only_fault(load, FAULT_NOT_FOUND, "libx.so", "liby.so");
    ends_with("q", here, 127, "libx.so: cannot open shared object file");
    load_destroy(load);
}
END_TEST

/* Everything at once: the real loader stops at the first, the model names all. */
START_TEST(all_that_is_missing)
{
    sh("cp x.c z.c; cc -shared -fPIC z.c -o libz1.so -Wl,-soname,libz1.so");
    sh("cc q.c -o q -Wl,--no-as-needed -L. -lz1 -ly -Wl,-rpath-link,.; rm libx.so libz1.so");
    struct load *load = load_with("q", here);

    ck_assert_uint_eq(load->fault_count, 2);
    ck_assert_str_eq(load->faults[0]->name, "libz1.so");
    ck_assert_str_eq(load->faults[1]->name, "libx.so");
    ends_with("q", here, 127, "libz1.so: cannot open shared object file");
    load_destroy(load);
}
END_TEST

static void make_versioned(const char *version, const char *also)
{
    CLEANUP_FREE char *script = xasprintf("%s { global: x; local: *; };\n%s", version, also);

    put("x.map", script);
    sh("cc -shared -fPIC x.c -o libx.so -Wl,-soname,libx.so,--version-script,x.map");
}

START_TEST(version_missing)
{
    make_versioned("X_2", "");
    sh("cc p.c -o p -L. -lx");
    struct load *load = load_with("p", here);
    starts("p", here, load);
    ck_assert_uint_eq(load->fault_count, 0);
    load_destroy(load);

    make_versioned("X_1", "");
    load = load_with("p", here);
    const struct fault *fault = only_fault(load, FAULT_VERSION, "X_2", "p");
    ck_assert_str_eq(path_base(fault->provider->path), "libx.so");
    ck_assert_uint_eq(fault->symbol_count, 1);
    ck_assert_str_eq(fault->symbols[0], "x");
    ck_assert(!fault->warning);
    ends_with("p", here, 1, "./libx.so: version `X_2' not found (required by ./p)");
    load_destroy(load);
}
END_TEST

/* The version is there and the symbol is not. */
START_TEST(symbol_of_a_version_missing)
{
    make_versioned("X_2", "");
    sh("cc p.c -o p -L. -lx -Wl,-z,now");
    put("x.c", "int other(void) { return 0; }\n");
    put("x.map", "X_2 { global: other; local: *; };\n");
    sh("cc -shared -fPIC x.c -o libx.so -Wl,-soname,libx.so,--version-script,x.map");
    struct load *load = load_with("p", here);
    const struct fault *fault = only_fault(load, FAULT_SYMBOL, "x", "p");

    ck_assert_str_eq(fault->version, "X_2");
    ck_assert_str_eq(path_base(fault->provider->path), "libx.so");
    ends_with("p", here, 127, "undefined symbol: x, version X_2");
    load_destroy(load);
}
END_TEST

/* Only a warning, as long as the library has versions of others (it uses libc); without any, some loaders abort. */
START_TEST(no_versions_at_all)
{
    int status;

    make_versioned("X_2", "");
    sh("cc p.c -o p -L. -lx -Wl,-z,now");
    put("x.c", "#include <stdlib.h>\nint x(void) { return getenv(\"NOT SET\") != NULL; }\n");
    sh("cc -shared -fPIC x.c -o libx.so -Wl,-soname,libx.so");
    struct load *load = load_with("p", here);
    ck_assert(only_fault(load, FAULT_VERSION, "X_2", "p")->warning);
    starts("p", here, load);
    load_destroy(load);

    put("x.c", "int x(void) { return 0; }\n");
    sh("cc -shared -fPIC x.c -o libx.so -Wl,-soname,libx.so");
    load = load_with("p", here);
    CLEANUP_FREE char *text = really("p", here, &status);
    ck_assert_msg((status == 0) == only_fault(load, FAULT_VERSION, "X_2", "p")->warning, "status %d: %s", status, text);
    load_destroy(load);
}
END_TEST

START_TEST(symbol_missing)
{
    sh("cc p.c -o lazy -L. -lx -Wl,-z,lazy; cc p.c -o now -L. -lx -Wl,-z,now");
    put("d.c", "extern int v; int *p = &v; int main(void) { return 0; }\n");
    put("v.c", "int v; int x(void) { return 0; }\n");
    sh("cc -shared -fPIC v.c -o libx.so -Wl,-soname,libx.so; cc -pie -fPIE d.c -o data -L. -lx -Wl,-z,lazy");
    sh("cc -no-pie -fno-pie -xc -o copy -L. - -lx <<'E'\nextern int v; int main(void) { return v; }\nE");
    put("x.c", "int other(void) { return 0; }\n");
    sh("cc -shared -fPIC x.c -o libx.so -Wl,-soname,libx.so");

    struct load *load = load_with("lazy", here);
    ck_assert(only_fault(load, FAULT_SYMBOL, "x", "lazy")->lazy);
    load_destroy(load);
    load = load_with("lazy", here_now);
    ck_assert(!only_fault(load, FAULT_SYMBOL, "x", "lazy")->lazy);
    load_destroy(load);
    load = load_with("now", here);
    ck_assert(!only_fault(load, FAULT_SYMBOL, "x", "now")->lazy);
    load_destroy(load);
    load = load_with("data", here);
    ck_assert(!only_fault(load, FAULT_SYMBOL, "v", "data")->lazy);
    load_destroy(load);
    load = load_with("copy", here);
    ck_assert(!only_fault(load, FAULT_SYMBOL, "v", "copy")->lazy);
    load_destroy(load);
    ends_with("lazy", here, 127, "./lazy: symbol lookup error: ./lazy: undefined symbol: x");
    ends_with("lazy", here_now, 127, "undefined symbol: x");
    ends_with("now", here, 127, "undefined symbol: x");
    ends_with("data", here, 127, "undefined symbol: v");
    ends_with("copy", here, 127, "undefined symbol: v");
}
END_TEST

/* Weak references, thread-local, unique, protected and absolute definitions, symbols of the program and of ld.so. */
START_TEST(symbols_that_are_there)
{
    put("s.c", "#include <stddef.h>\n__attribute__((weak)) extern int nowhere(void); extern _Thread_local int t;\n"
               "extern int u, pr, of_program; extern void *__tls_get_addr(void *); extern char abs1;\n"
               "int s(void) { return (nowhere ? 1 : 0) + t + u + pr + of_program + !__tls_get_addr + !&abs1; }\n");
    put("d.c",
        "_Thread_local int t; __attribute__((visibility(\"protected\"))) int pr;\n"
        "asm(\".globl u; .type u, @gnu_unique_object; .bss; u: .long 0; .size u, 4; .globl abs1; abs1 = 4711\");\n");
    put("m.c", "int of_program; int s(void); int main(void) { return s(); }\n");
    sh("cc -shared -fPIC d.c -o libd.so -Wl,-soname,libd.so; cc -shared -fPIC s.c -o libs.so -L. -ld "
       "-Wl,-soname,libs.so");
    sh("cc m.c -o m -rdynamic -L. -ls -Wl,-z,now,-rpath-link,.");
    struct load *load = load_with("m", here);

    starts("m", here, load);
    ck_assert_uint_eq(load->fault_count, 0);
    const struct elf_symbol *symbol;
    const struct object *to =
        load_lookup(load, object_named(load, "libs.so"), "of_program", NULL, LOOKUP_DATA, &symbol);
    ck_assert_ptr_eq(to, load->objects[0]);
    ck_assert_str_eq(symbol->name, "of_program");
    ck_assert_ptr_eq(load_lookup(load, NULL, "nowhere", NULL, LOOKUP_DATA, &symbol), NULL);
    load_destroy(load);
}
END_TEST

START_TEST(hidden_definitions_do_not_count)
{
    put("h.c", "__attribute__((visibility(\"hidden\"))) int x(void) { return 0; } int other(void) { return x(); }\n");
    sh("cc p.c -o p -L. -lx -Wl,-z,now; cc -shared -fPIC h.c -o libx.so -Wl,-soname,libx.so");
    struct load *load = load_with("p", here);

    only_fault(load, FAULT_SYMBOL, "x", "p");
    ends_with("p", here, 127, "undefined symbol: x");
    load_destroy(load);
}
END_TEST

/* Two names for one file are one object; two files with one soname are one object for those who ask by it. */
START_TEST(sharing)
{
    sh("ln -s libx.so liba.so; ln libx.so libb.so; mkdir D; cp libx.so D/libc1.so");
    sh("cc p.c -o p -Wl,--no-as-needed ./liba.so ./libb.so ./libx.so");
    sh("patch() { :; }; cc -shared -fPIC y.c -o libn.so -Wl,-soname,libn.so -L. -lx");
    sh("cc q.c -o q -Wl,--no-as-needed -L. -lx -ly D/libc1.so -Wl,-rpath-link,.");
    struct load *load = load_with("p", here);
    size_t named = 0;

    starts("p", here, load);
    for (size_t i = 0; i < load->object_count; i++)
        named += load->objects[i]->elf->soname && !strcmp(load->objects[i]->elf->soname, "libx.so");
    ck_assert_uint_eq(named, 1);
    load_destroy(load);
    load = load_with("q", here);
    starts("q", here, load);
    load_destroy(load);
}
END_TEST

START_TEST(preloads)
{
    static const char *const there[] = {"LD_LIBRARY_PATH=.", "LD_PRELOAD=./over.so libnot.so:liby.so", NULL};
    put("over.c", "int x(void) { return 0; }\n");
    sh("cc -shared -fPIC over.c -o over.so; cc p.c -o p -L. -lx");
    struct load *load = load_with("p", there);
    int status;
    CLEANUP_FREE char *text = really("p", there, &status);

    ck_assert_int_eq(status, 0);
    ck_assert_msg(strstr(text, "libnot.so' from LD_PRELOAD cannot be preloaded"), "%s", text);
    ck_assert(only_fault(load, FAULT_NOT_FOUND, "libnot.so", "p")->warning);
    ck_assert_uint_eq(index_of(load, "over.so"), 1);
    ck_assert_uint_eq(index_of(load, "liby.so"), 2);
    ck_assert_uint_eq(index_of(load, "libx.so"), 3);
    ck_assert_int_eq(load->objects[1]->why, OBJECT_PRELOAD);
    ck_assert_ptr_eq(load_lookup(load, NULL, "x", NULL, LOOKUP_DATA, NULL), load->objects[1]);
    load_destroy(load);
}
END_TEST

START_TEST(audit)
{
    static const char *const env[] = {"LD_LIBRARY_PATH=.", "LD_AUDIT=libnot.so", NULL};
    sh("cc p.c -o p -L. -lx");
    struct load *load = load_with("p", env);

    ck_assert(only_fault(load, FAULT_NOT_FOUND, "libnot.so", "p")->warning);
    ends_with("p", env, 0, "object 'libnot.so' cannot be loaded as audit interface");
    load_destroy(load);
}
END_TEST

START_TEST(secure_programs)
{
    const char *env[] = {"LD_LIBRARY_PATH=.", "LD_PRELOAD=./libx.so", NULL};
    CLEANUP_FREE char *path = xasprintf("%s/p", bed);
    struct load_request request = {.root = "", .program = path, .cwd = bed, .env = env, .secure = true};
    struct load *load;

    sh("cc p.c -o p -L. -lx -Wl,-rpath,'$ORIGIN'");
    ck_assert_int_eq(load_create(&request, &load, NULL), 0);
    const struct fault *fault = only_fault(load, FAULT_NOT_FOUND, "libx.so", "p");
    for (size_t i = 0; i < fault->search.count; i++)
        ck_assert_msg(strncmp(fault->search.places[i].path, bed, strlen(bed)) != 0, "%s", fault->search.places[i].path);
    load_destroy(load);
    if (getuid() == 0) { /* the real thing: a set-user-ID copy, run by nobody */
        int status;

        sh("chown 65533 p; chmod 4755 p");
        CLEANUP_FREE char *text = output_of(
            "LD_LIBRARY_PATH=. LD_PRELOAD=./libx.so setpriv --reuid=65534 --regid=65534 --clear-groups ./p", &status);
        ck_assert_msg(status == 127 && strstr(text, "libx.so: cannot open shared object file"), "%s", text);
    }
}
END_TEST

START_TEST(interpreter_missing)
{
    sh("cc p.c -o p -L. -lx -Wl,--dynamic-linker,/nowhere/ld.so; cc -static q.c -o s -xc - <<'E'\nint y(void) { return "
       "0; }\nE");
    struct load *load = load_with("p", here);
    const struct fault *fault = only_fault(load, FAULT_INTERP, "/nowhere/ld.so", "p");

    ck_assert_int_eq(fault->search.places[0].state, CANDIDATE_ABSENT);
    ck_assert_str_eq(fault->search.places[0].why, "not there: /nowhere does not exist");
    ck_assert_str_eq(load->interp, "/nowhere/ld.so");
    load_destroy(load);

    load = load_with("s", NULL);
    ck_assert_int_eq(load->family, LOADER_NONE);
    ck_assert_uint_eq(load->fault_count, 0);
    ck_assert_uint_eq(load->object_count, 1);
    load_destroy(load);

    put("text", "#!/bin/sh\n");
    load = load_with("text", NULL);
    only_fault(load, FAULT_PROGRAM, load->objects[0]->path, "text");
    ck_assert_int_eq(load->objects[0]->elf->state, ELFFILE_NOT_ELF);
    load_destroy(load);
}
END_TEST

/* --- dlopen ------------------------------------------------------------------------------------------------------ */

static void make_opener(void)
{
    put("o.c",
        "#include <dlfcn.h>\n#include <stdio.h>\n#include <string.h>\nint of_program;\n"
        "int main(int c, char **v) { int bad = 0; for (int i = 1; i < c; i++) { int lazy = v[i][0] == '+';\n"
        "if (!dlopen(v[i] + lazy, lazy ? RTLD_LAZY : RTLD_NOW)) { puts(dlerror()); bad = 1; } } return bad; }\n");
    sh("cc o.c -o o -rdynamic");
}

START_TEST(dlopen_batches)
{
    int status;
    make_opener();
    struct load *load = load_with("o", here);
    size_t before = load->object_count;

    ck_assert_uint_eq(bed_dlopen(load, "liby.so", RTLD_NOW), 1);
    ck_assert_uint_eq(load->object_count, before + 2);
    ck_assert_int_eq(load->objects[before]->why, OBJECT_DLOPEN);
    ck_assert_uint_eq(load->objects[before + 1]->batch, 1);
    ck_assert_uint_eq(bed_dlopen(load, "libx.so", RTLD_NOW), 2);
    ck_assert_uint_eq(load->object_count, before + 2);
    ck_assert_uint_eq(load->fault_count, 0);
    ck_assert_ptr_eq(load_lookup(load, load->objects[before], "x", NULL, LOOKUP_DATA, NULL), load->objects[before + 1]);
    ck_assert_ptr_eq(load_lookup(load, load->objects[0], "x", NULL, LOOKUP_DATA, NULL), NULL); /* RTLD_LOCAL */
    ck_assert_uint_eq(bed_dlopen(load, "", RTLD_NOW), 3);
    ck_assert_uint_eq(load->fault_count, 0);
    ck_assert_uint_eq(bed_dlopen(load, "libnot.so", RTLD_NOW), 4);
    ck_assert_uint_eq(load->fault_count, 1);
    ck_assert_uint_eq(load->faults[0]->batch, 4);
    CLEANUP_FREE char *text = output_of("LD_LIBRARY_PATH=. ./o liby.so libx.so libnot.so", &status);
    ck_assert_int_eq(status, 1);
    ck_assert_str_eq(text, "libnot.so: cannot open shared object file: No such file or directory\n");
    load_destroy(load);
}
END_TEST

/* A plugin that uses its sibling's symbol without asking for the sibling; lazily it is let in. */
START_TEST(dlopen_scopes)
{
    int status;
    make_opener();
    sh("cc -shared -fPIC y.c -o plugin.so -Wl,-z,lazy");
    struct load *load = load_with("o", NULL);

    bed_dlopen(load, "./libx.so", RTLD_NOW);
    bed_dlopen(load, "./plugin.so", RTLD_NOW);
    const struct fault *fault = only_fault(load, FAULT_SYMBOL, "x", "plugin.so");
    ck_assert_uint_eq(fault->batch, 2);
    ck_assert(!fault->lazy);
    CLEANUP_FREE char *now = output_of("./o ./libx.so ./plugin.so", &status);
    ck_assert_msg(status == 1 && strstr(now, "./plugin.so: undefined symbol: x"), "%s", now);
    load_destroy(load);

    load = load_with("o", NULL);
    bed_dlopen(load, "./plugin.so", RTLD_LAZY);
    ck_assert(only_fault(load, FAULT_SYMBOL, "x", "plugin.so")->lazy);
    CLEANUP_FREE char *lazy = output_of("./o +./plugin.so", &status);
    ck_assert_msg(status == 0, "%s", lazy);
    load_destroy(load);
}
END_TEST

/* What a failed dlopen had mapped is gone: the next one must look for it again. */
START_TEST(dlopen_that_failed_leaves_nothing)
{
    int status;
    make_opener();
    sh("mkdir D; cc -shared -fPIC x.c -o D/libdep.so -Wl,-soname,libdep.so; cp libx.so libgone.so");
    sh("cc -shared -fPIC x.c -o libgone.so -Wl,-soname,libgone.so");
    sh("cc -shared -fPIC y.c -o first.so -Wl,--no-as-needed,--enable-new-dtags,-rpath,%s/D -LD -ldep -L. -lgone", bed);
    sh("cc -shared -fPIC y.c -o second.so -Wl,--no-as-needed -LD -ldep; rm libgone.so");
    struct load *load = load_with("o", NULL);

    bed_dlopen(load, "./first.so", RTLD_NOW);
    bed_dlopen(load, "./second.so", RTLD_NOW);
    ck_assert_uint_eq(load->fault_count, 2);
    ck_assert_str_eq(load->faults[0]->name, "libgone.so");
    ck_assert_str_eq(load->faults[1]->name, "libdep.so");
    ck_assert_str_eq(path_base(load->faults[1]->subject->path), "second.so");
    CLEANUP_FREE char *text = output_of("./o ./first.so ./second.so", &status);
    ck_assert_str_eq(text, "libgone.so: cannot open shared object file: No such file or directory\n"
                           "libdep.so: cannot open shared object file: No such file or directory\n");
    load_destroy(load);
}
END_TEST

START_TEST(searches_without_an_origin)
{
    sh("mkdir D; cp libx.so D; cc p.c -o p -L. -lx -Wl,-rpath,%s/D", bed);
    struct load *load = load_with("p", here);
    struct search search;

    load_search(load, "libx.so", NULL, 1u << ORIGIN_LIBRARY_PATH, &search);
    ck_assert_int_eq(search.found, 0);
    ck_assert_int_eq(search.places[0].origin, ORIGIN_RUNPATH);
    search_deinit(&search);
    load_search(load, "libx.so", NULL, 1u << ORIGIN_LIBRARY_PATH | 1u << ORIGIN_RUNPATH, &search);
    ck_assert_int_eq(search.found, -1);
    search_deinit(&search);
    load_destroy(load);
}
END_TEST

/* Over a root: the loader, the libraries and their links are those inside. */
START_TEST(another_root)
{
    CLEANUP_FREE char *root = xasprintf("%s/R", bed);
    struct load_request request = {.root = root, .program = "/app/p", .cwd = "/"};
    struct load *load;

    sh("cc p.c -o p -L. -lx -Wl,-rpath,/app/lib");
    sh("mkdir -p R/app/real R/lib64 R/usr/lib; cp p R/app/p; cp libx.so R/app/real; ln -s /app/real R/app/lib");
    sh("interp=$(ldd p | sed -n 's|^[[:space:]]*\\(/[^ ]*ld[^ ]*\\) .*|\\1|p'); mkdir -p R$(dirname $interp); cp "
       "$interp R$interp");
    sh("cp $(ldd p | sed -n 's|.*libc.so.6 => \\([^ ]*\\) .*|\\1|p') R/usr/lib");
    ck_assert_int_eq(load_create(&request, &load, NULL), 0);
    ck_assert_uint_eq(load->fault_count, 0);
    ck_assert_str_eq(load->objects[1]->path, "/app/lib/libx.so");
    ck_assert_str_eq(object_named(load, "libc.so.6")->path, "/usr/lib/libc.so.6");
    load_destroy(load);
}
END_TEST

START_TEST(musl)
{
    int status;
    if (system("command -v musl-gcc >/dev/null") != 0) {
        printf("musl-gcc is not there: musl's rules are not checked\n");
        return;
    }
    sh("musl-gcc -shared -fPIC x.c -o libx.so; musl-gcc -shared -fPIC y.c -o liby.so -L. -lx");
    sh("musl-gcc q.c -o q -L. -ly -Wl,-rpath-link,.");
    struct load *load = load_with("q", here);
    ck_assert_int_eq(load->family, LOADER_MUSL);
    starts("q", here, load);
    ck_assert_uint_eq(load->fault_count, 0);
    ck_assert_uint_eq(index_of(load, "liby.so"), 1);
    load_destroy(load);

    put("x.c", "int other;\n");
    sh("musl-gcc -shared -fPIC x.c -o libx.so");
    load = load_with("q", here);
    ck_assert(!only_fault(load, FAULT_SYMBOL, "x", "liby.so")->lazy);
    load_destroy(load);
    CLEANUP_FREE char *symbol = really("q", here, &status);
    ck_assert_msg(status == 127 && strstr(symbol, "x: symbol not found"), "%s", symbol);
    sh("rm libx.so; ln -s libx.so libx.so");
    load = load_with("q", here);
    const struct fault *fault = only_fault(load, FAULT_NOT_FOUND, "libx.so", "liby.so");
    ck_assert_int_eq(fault->search.fault, 0);
    ck_assert(fault->search.places[0].ends);
    load_destroy(load);
    CLEANUP_FREE char *library = really("q", here, &status);
    ck_assert_msg(status == 127 && strstr(library, "Error loading shared library libx.so"), "%s", library);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("load");
    TCase *tcase = tcase_create("programs");

    unsetenv("LD_LIBRARY_PATH");
    unsetenv("LD_PRELOAD");
    setenv("LC_ALL", "C", 1);
    tcase_add_checked_fixture(tcase, make_bed, bed_remove);
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, healthy);
    tcase_add_test(tcase, missing_library);
    tcase_add_test(tcase, all_that_is_missing);
    tcase_add_test(tcase, version_missing);
    tcase_add_test(tcase, symbol_of_a_version_missing);
    tcase_add_test(tcase, no_versions_at_all);
    tcase_add_test(tcase, symbol_missing);
    tcase_add_test(tcase, symbols_that_are_there);
    tcase_add_test(tcase, hidden_definitions_do_not_count);
    tcase_add_test(tcase, sharing);
    tcase_add_test(tcase, preloads);
    tcase_add_test(tcase, audit);
    tcase_add_test(tcase, secure_programs);
    tcase_add_test(tcase, interpreter_missing);
    tcase_add_test(tcase, dlopen_batches);
    tcase_add_test(tcase, dlopen_scopes);
    tcase_add_test(tcase, dlopen_that_failed_leaves_nothing);
    tcase_add_test(tcase, searches_without_an_origin);
    tcase_add_test(tcase, another_root);
    tcase_add_test(tcase, musl);
    suite_add_tcase(suite, tcase);
    return bed_run(suite);
}
