"""What can be taken out of an ELF file that glibctrace made, one thing at a time.

An editor in place: what is taken out is turned into nothing (a dynamic entry that loaders pass over, a chain that goes
past it, a name that nobody asks for), so that everything else stays where it is. Written from the System V ABI and
"ELF Symbol Versioning"; it shares nothing with the program that wrote the file.
"""

import struct

PT_LOAD, PT_DYNAMIC, PT_NOTE, PT_TLS, PT_STACK, PT_PROPERTY = 1, 2, 4, 7, 0x6474e551, 0x6474e553
NEEDED, STRTAB, SYMTAB, RELA, RELASZ, RPATH, REL, RELSZ, RUNPATH = 1, 5, 6, 7, 8, 15, 17, 18, 29
HASH, VERSYM, VERDEF, VERDEFNUM, VERNEED, VERNEEDNUM = 4, 0x6ffffff0, 0x6ffffffc, 0x6ffffffd, 0x6ffffffe, 0x6fffffff
PASSED_OVER = 0x6ffffdff  # DT_GNU_PRELINKED and the like lie below; no loader looks at this one


class Stub:
    """The bytes of one, which the methods change; `parts` lists what can be taken out as (text, function)."""

    def __init__(self, data):
        self.data = bytearray(data)
        self.wide, self.end = data[4] == 2, "<" if data[5] == 1 else ">"
        self.word = "Q" if self.wide else "I"
        phoff = self.get(self.word, 32 if self.wide else 28)
        size, count = self.get("H", 54 if self.wide else 42), self.get("H", 56 if self.wide else 44)
        self.headers = [phoff + size * i for i in range(count)]
        self.dynamic = {}  # tag -> places of its entries
        for header in self.headers:
            if self.get("I", header) == PT_DYNAMIC:
                self.read_dynamic(self.header(header)[0])

    def get(self, kind, at):
        return struct.unpack_from(self.end + kind, self.data, at)[0]

    def put(self, kind, at, value):
        struct.pack_into(self.end + kind, self.data, at, value)

    def header(self, at):
        """Offset, address, size in the file."""
        if self.wide:
            return self.get("Q", at + 8), self.get("Q", at + 16), self.get("Q", at + 32)
        return self.get("I", at + 4), self.get("I", at + 8), self.get("I", at + 16)

    def read_dynamic(self, at):
        step = 16 if self.wide else 8
        while self.get(self.word, at):
            self.dynamic.setdefault(self.get(self.word, at), []).append(at)
            at += step

    def value(self, tag):
        return self.get(self.word, self.dynamic[tag][0] + (8 if self.wide else 4)) if tag in self.dynamic else 0

    def place(self, tag):
        address = self.value(tag)
        for header in self.headers:
            offset, start, size = self.header(header)
            if self.get("I", header) == PT_LOAD and start <= address < start + size:
                return address - start + offset
        return 0

    def string(self, at):
        at += self.place(STRTAB)
        return bytes(self.data[at:self.data.index(0, at)]).decode(errors="surrogateescape")

    # ---- what there is ----

    def parts(self):
        if bytes(self.data[:4]) != b"\x7fELF" or len(self.data) < 64:
            return
        for tag, name in ((NEEDED, "needed"), (RPATH, "rpath"), (RUNPATH, "runpath")):
            for at in self.dynamic.get(tag, ()):
                text = self.string(self.get(self.word, at + (8 if self.wide else 4)))
                yield f"{name} {text}", lambda at=at: self.put(self.word, at, PASSED_OVER)
        for header in self.headers:
            kind = self.get("I", header)
            if kind in (PT_NOTE, PT_TLS):
                yield f"segment {kind}", lambda kind=kind: self.drop_segment(kind)
            flags = header + (4 if self.wide else 24)
            if kind == PT_STACK and self.get("I", flags) & 1:
                yield "executable stack", lambda flags=flags: self.put("I", flags, self.get("I", flags) & ~1)
        yield from self.version_needs()
        yield from self.version_definitions()
        yield from self.symbols()

    def version_needs(self):
        at = self.place(VERNEED)
        for _ in range(self.value(VERNEEDNUM)):
            file, aux = self.string(self.get("I", at + 4)), at + self.get("I", at + 8)
            for _ in range(self.get("H", at + 2)):
                yield (f"version need {self.string(self.get('I', aux + 8))} of {file}",
                       lambda at=at, aux=aux: self.drop_need(at, aux))
                aux += self.get("I", aux + 12)
            at += self.get("I", at + 12)

    def version_definitions(self):
        at = self.place(VERDEF)
        for _ in range(self.value(VERDEFNUM)):
            if not self.get("H", at + 2) & 1:  # VER_FLG_BASE is the object's own name
                yield (f"version {self.string(self.get('I', at + self.get('I', at + 12)))}",
                       lambda at=at: self.drop_definition(at))
            at += self.get("I", at + 16)

    def symbols(self):
        size = 24 if self.wide else 16
        table = self.place(SYMTAB)
        # DT_HASH's second word is the number of symbols (of eight bytes on machines that no stub here is for).
        for number in range(1, self.get("I", self.place(HASH) + 4) if self.place(HASH) else 0):
            at = table + size * number
            name = self.string(self.get("I", at))
            if not name:
                continue
            undefined = self.get("H", at + (6 if self.wide else 14)) == 0
            yield (f"{'undefined' if undefined else 'defined'} symbol {name}",
                   lambda number=number, at=at, undefined=undefined: self.drop_symbol(number, at, undefined))

    # ---- taking it out ----

    def drop_segment(self, kind):
        """The note of properties has two headers, of which loaders read one or the other."""
        for header in self.headers:
            if self.get("I", header) == kind or (kind == PT_NOTE and self.get("I", header) == PT_PROPERTY):
                self.put("I", header, 0)

    def symbols_lose(self, index):
        """Symbols of the version INDEX are global ones without a version."""
        if VERSYM not in self.dynamic:
            return
        for number in range(self.get("I", self.place(HASH) + 4)):
            at = self.place(VERSYM) + 2 * number
            if self.get("H", at) & 0x7fff == index:
                self.put("H", at, 1)

    def drop_need(self, at, gone):
        index, count = self.get("H", gone + 6) & 0x7fff, self.get("H", at + 2)
        if count > 1:
            self.put("H", at + 2, count - 1)
            self.unlink(at + 8, at, gone, 12)
        elif self.value(VERNEEDNUM) > 1:
            self.drop_first_or_unlink(VERNEED, VERNEEDNUM, at, 12)
        else:
            self.put(self.word, self.dynamic[VERNEED][0], PASSED_OVER)
            self.put(self.word, self.dynamic[VERNEEDNUM][0], PASSED_OVER)
        self.symbols_lose(index)

    def unlink(self, first, base, gone, next_at):
        """Makes the chain that begins at BASE + [FIRST] go past GONE; the distance to the next is at NEXT_AT of each."""
        at = base + self.get("I", first)
        onward = self.get("I", gone + next_at)
        if at == gone:
            self.put("I", first, gone + onward - base)
            return
        while at + self.get("I", at + next_at) != gone:
            at += self.get("I", at + next_at)
        self.put("I", at + next_at, gone + onward - at if onward else 0)

    def drop_first_or_unlink(self, tag, number, gone, next_at):
        value = self.dynamic[tag][0] + (8 if self.wide else 4)
        onward, at = self.get("I", gone + next_at), self.place(tag)
        count = self.dynamic[number][0] + (8 if self.wide else 4)
        if at == gone:
            self.put(self.word, value, self.get(self.word, value) + onward)
        else:
            while at + self.get("I", at + next_at) != gone:
                at += self.get("I", at + next_at)
            self.put("I", at + next_at, gone + onward - at if onward else 0)
        self.put(self.word, count, self.get(self.word, count) - 1)

    def drop_definition(self, gone):
        self.symbols_lose(self.get("H", gone + 4))
        self.drop_first_or_unlink(VERDEF, VERDEFNUM, gone, 16)

    def drop_symbol(self, number, at, undefined):
        self.put("I", at, 0)
        if not undefined:
            return
        for tag, length, size in ((RELA, RELASZ, 24 if self.wide else 12), (REL, RELSZ, 16 if self.wide else 8)):
            for i in range(self.value(length) // size if tag in self.dynamic else 0):
                info = self.place(tag) + size * i + (8 if self.wide else 4)
                if self.get(self.word, info) >> (32 if self.wide else 8) == number:
                    self.put(self.word, info, 0)  # R_…_NONE of symbol 0, on every machine
