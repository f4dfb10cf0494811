/* The versions of a stub: "ELF Symbol Versioning" (GNU), as elf/dl-version.c of glibc reads it. */
#include "stub_parts.h"

#include <probes/alloc.h>

#include <elf.h>
#include <string.h>

static const struct version *version_find(const struct stub *stub, const char *file, const char *name)
{
    for (size_t i = 0; i < stub->version_count; i++) {
        const struct version *version = &stub->versions[i];

        if (strcmp(version->name, name) == 0 &&
            (file ? version->file && strcmp(version->file, file) == 0 : version->file == NULL))
            return version;
    }
    return NULL;
}

static void version_put(struct stub *stub, const char *file, const char *name)
{
    struct version *version;

    if (version_find(stub, file, name))
        return;
    version = array_add(&stub->versions, &stub->version_count, &stub->version_cap, sizeof *version);
    version->file = file;
    version->name = name;
    version->index = (uint16_t)(stub->version_count + 1); /* 0 is local, 1 the file itself */
    version->at = stub_name_at(stub, name);
}

/* Definitions first, so that needs begin where they end. */
void stub_versions_collect(struct stub *stub)
{
    const struct mini_object *object = stub->object;

    for (size_t i = 0; i < object->def_count; i++)
        version_put(stub, NULL, object->defs[i].name);
    for (size_t i = 0; i < stub->object->defined_count; i++)
        if (stub->object->defined[i].version)
            version_put(stub, NULL, stub->object->defined[i].version);
    for (size_t i = 0; i < object->need_count; i++)
        if (object->needs[i].file)
            version_put(stub, object->needs[i].file, object->needs[i].name);
    for (size_t i = 0; i < object->undefined_count; i++)
        if (object->undefined[i].version && object->undefined[i].file)
            version_put(stub, object->undefined[i].file, object->undefined[i].version);
}

size_t stub_version_definitions(const struct stub *stub)
{
    size_t count = 0;

    while (count < stub->version_count && !stub->versions[count].file)
        count++;
    return count;
}

static void put_verdef(struct stub *stub, const struct version *version, const char *name, uint32_t at, bool last)
{
    stub_put16(stub, VER_DEF_CURRENT);
    stub_put16(stub, version ? 0 : VER_FLG_BASE);
    stub_put16(stub, version ? version->index : 1);
    stub_put16(stub, 1);
    stub_put32(stub, stub_name_hash(name));
    stub_put32(stub, sizeof(Elf64_Verdef));
    stub_put32(stub, last ? 0 : sizeof(Elf64_Verdef) + sizeof(Elf64_Verdaux));
    stub_put32(stub, at);
    stub_put32(stub, 0);
}

void stub_put_verdefs(struct stub *stub)
{
    const char *own = stub->object->soname ? stub->object->soname : stub->object->name;
    size_t count = stub_version_definitions(stub);
    uint32_t own_at;

    if (!count && !stub->object->versioned)
        return;
    own_at = stub->soname_at ? stub->soname_at : stub_name_at(stub, own);
    stub->verdef = stub_part_begin(stub, 4);
    put_verdef(stub, NULL, own, own_at, !count);
    for (size_t i = 0; i < count; i++)
        put_verdef(stub, &stub->versions[i], stub->versions[i].name, stub->versions[i].at, i + 1 == count);
    stub_part_end(stub, &stub->verdef);
}

/* Whether versions[AT] is the first of its file. */
static bool first_of_file(const struct stub *stub, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (stub->versions[i].file && strcmp(stub->versions[i].file, stub->versions[at].file) == 0)
            return false;
    return true;
}

static size_t versions_of_file(const struct stub *stub, const char *file)
{
    size_t count = 0;

    for (size_t i = 0; i < stub->version_count; i++)
        count += stub->versions[i].file && strcmp(stub->versions[i].file, file) == 0;
    return count;
}

static size_t files_after(const struct stub *stub, size_t at)
{
    size_t count = 0;

    for (size_t i = at + 1; i < stub->version_count; i++)
        count += first_of_file(stub, i);
    return count;
}

size_t stub_version_files(const struct stub *stub)
{
    size_t count = 0;

    for (size_t i = stub_version_definitions(stub); i < stub->version_count; i++)
        count += first_of_file(stub, i);
    return count;
}

static void put_verneed(struct stub *stub, size_t first)
{
    const char *file = stub->versions[first].file;
    size_t count = versions_of_file(stub, file), done = 0;

    stub_put16(stub, VER_NEED_CURRENT);
    stub_put16(stub, count);
    stub_put32(stub, stub_name_at(stub, file));
    stub_put32(stub, sizeof(Elf64_Verneed));
    stub_put32(stub, files_after(stub, first) ? sizeof(Elf64_Verneed) + count * sizeof(Elf64_Vernaux) : 0);
    for (size_t i = first; i < stub->version_count; i++) {
        const struct version *version = &stub->versions[i];

        if (strcmp(version->file, file) != 0)
            continue;
        stub_put32(stub, stub_name_hash(version->name));
        stub_put16(stub, 0);
        stub_put16(stub, version->index);
        stub_put32(stub, version->at);
        stub_put32(stub, ++done == count ? 0 : sizeof(Elf64_Vernaux));
    }
}

void stub_put_verneeds(struct stub *stub)
{
    size_t first = stub_version_definitions(stub);

    if (first == stub->version_count)
        return;
    stub->verneed = stub_part_begin(stub, 4);
    for (size_t i = first; i < stub->version_count; i++)
        if (first_of_file(stub, i))
            put_verneed(stub, i);
    stub_part_end(stub, &stub->verneed);
}

/* .gnu.version: the first definition of a name is its default one, later ones are hidden. */
void stub_put_versym(struct stub *stub)
{
    const struct mini_object *object = stub->object;

    if (!stub->version_count && !object->versioned)
        return;
    stub->versym = stub_part_begin(stub, 2);
    stub_put16(stub, VER_NDX_LOCAL);
    for (size_t i = 0; i < object->undefined_count; i++) {
        const struct mini_symbol *symbol = &object->undefined[i];
        const struct version *version =
            symbol->version && symbol->file ? version_find(stub, symbol->file, symbol->version) : NULL;

        stub_put16(stub, version ? version->index : VER_NDX_GLOBAL);
    }
    for (size_t i = 0; i < stub->object->defined_count; i++) {
        const struct mini_symbol *symbol = &stub->object->defined[i];
        const struct version *version = symbol->version ? version_find(stub, NULL, symbol->version) : NULL;
        bool hidden = false;

        for (size_t j = 0; j < i && !hidden; j++)
            hidden = strcmp(stub->object->defined[j].name, symbol->name) == 0;
        stub_put16(stub, version ? version->index | (hidden ? 0x8000 : 0) : VER_NDX_GLOBAL);
    }
    stub_part_end(stub, &stub->versym);
}
