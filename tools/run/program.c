// SPDX-License-Identifier: Apache-2.0
// See program.h.
#include "tools/run/program.h"

#include <fcntl.h>
#include <gelf.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

// gcc's sanitizers come as libraries, clang's inside the executable.
static const char *const sanitizer_libraries[] = {
    "libasan.so",       "libtsan.so",       "liblsan.so",         "libhwasan.so",
    "libclang_rt.asan", "libclang_rt.tsan", "libclang_rt.hwasan", "libclang_rt.msan"};
static const char *const sanitizer_symbols[] = {"__asan_init", "__tsan_init", "__msan_init",
                                                "__lsan_init", "__hwasan_init"};

static bool name_has_prefix(const char *name, const char *const *prefixes, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0) return true;
  return false;
}

// The loader that the file asks for, "" where it asks for none. False where that cannot be read.
static bool interpreter_read(Elf *elf, char interpreter[PATH_MAX]) {
  size_t count = 0, size = 0;
  interpreter[0] = '\0';
  const char *bytes = elf_rawfile(elf, &size);
  if (elf_getphdrnum(elf, &count) != 0) return false;
  for (size_t i = 0; i < count; i++) {
    GElf_Phdr header;
    if (!gelf_getphdr(elf, (int)i, &header)) return false;
    if (header.p_type != PT_INTERP) continue;
    if (header.p_offset >= size || header.p_filesz > size - header.p_offset) return false;
    snprintf(interpreter, PATH_MAX, "%.*s", (int)header.p_filesz, bytes + header.p_offset);
  }
  return count > 0;
}

static bool dynamic_needs_sanitizer(Elf *elf, Elf_Data *data, const GElf_Shdr *header) {
  for (int i = 0; header->sh_entsize && i < (int)(header->sh_size / header->sh_entsize); i++) {
    GElf_Dyn entry;
    if (!gelf_getdyn(data, i, &entry) || entry.d_tag != DT_NEEDED) continue;
    const char *name = elf_strptr(elf, header->sh_link, entry.d_un.d_val);
    if (name && name_has_prefix(name, sanitizer_libraries,
                                sizeof sanitizer_libraries / sizeof sanitizer_libraries[0]))
      return true;
  }
  return false;
}

static bool symbols_have_sanitizer(Elf *elf, Elf_Data *data, const GElf_Shdr *header) {
  for (int i = 0; header->sh_entsize && i < (int)(header->sh_size / header->sh_entsize); i++) {
    GElf_Sym symbol;
    if (!gelf_getsym(data, i, &symbol) || symbol.st_shndx == SHN_UNDEF) continue;
    const char *name = elf_strptr(elf, header->sh_link, symbol.st_name);
    for (size_t k = 0; name && k < sizeof sanitizer_symbols / sizeof sanitizer_symbols[0]; k++)
      if (strcmp(name, sanitizer_symbols[k]) == 0) return true;
  }
  return false;
}

static bool program_is_sanitized(Elf *elf) {
  for (Elf_Scn *section = NULL; (section = elf_nextscn(elf, section));) {
    GElf_Shdr header;
    if (!gelf_getshdr(section, &header)) continue;
    if (header.sh_type != SHT_DYNAMIC && header.sh_type != SHT_DYNSYM) continue;
    Elf_Data *data = elf_getdata(section, NULL);
    if (!data) continue;
    if (header.sh_type == SHT_DYNAMIC ? dynamic_needs_sanitizer(elf, data, &header)
                                      : symbols_have_sanitizer(elf, data, &header))
      return true;
  }
  return false;
}

static const char *path_name(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

// Whether a file is built for what inspect-run, and so the recorder, is built for.
static bool machine_is_own(Elf *elf) {
  GElf_Ehdr own, other;
  int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return true;
  Elf *self = elf_begin(fd, ELF_C_READ, NULL);
  bool same = !gelf_getehdr(self, &own) || !gelf_getehdr(elf, &other) ||
              (own.e_machine == other.e_machine && gelf_getclass(self) == gelf_getclass(elf));
  elf_end(self);
  close(fd);
  return same;
}

static program_verdict_t elf_check(Elf *elf, const char *path, char why[PROGRAM_WHY_MAX]) {
  static const char glibc_loader[] = "ld-linux";
  char interpreter[PATH_MAX];
  if (!machine_is_own(elf)) {
    snprintf(why, PROGRAM_WHY_MAX, "built for another kind of processor than the recorder");
    return PROGRAM_FOREIGN_MACHINE;
  }
  if (!interpreter_read(elf, interpreter)) return PROGRAM_RECORDABLE;
  if (!*interpreter) {
    // The loader itself, run by name, has no loader and minds LD_PRELOAD all the same.
    if (strncmp(path_name(path), glibc_loader, strlen(glibc_loader)) == 0)
      return PROGRAM_RECORDABLE;
    snprintf(why, PROGRAM_WHY_MAX, "statically linked, so that LD_PRELOAD does not reach it");
    return PROGRAM_STATIC;
  }
  if (strncmp(path_name(interpreter), glibc_loader, strlen(glibc_loader)) != 0) {
    snprintf(why, PROGRAM_WHY_MAX, "loaded by %.300s, so its C library is not glibc", interpreter);
    return PROGRAM_FOREIGN_LIBC;
  }
  if (program_is_sanitized(elf)) {
    snprintf(why, PROGRAM_WHY_MAX, "built with a sanitizer, which intercepts the same functions");
    return PROGRAM_SANITIZED;
  }
  return PROGRAM_RECORDABLE;
}

program_verdict_t program_check(const char *path, char why[PROGRAM_WHY_MAX]) {
  program_verdict_t verdict = PROGRAM_RECORDABLE;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return verdict;
  elf_version(EV_CURRENT);
  Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
  if (elf && elf_kind(elf) == ELF_K_ELF) verdict = elf_check(elf, path, why);
  elf_end(elf);
  close(fd);
  return verdict;
}
