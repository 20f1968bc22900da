// SPDX-License-Identifier: Apache-2.0
// A module as it is mapped. Everything is taken from what _dl_find_object gives and from the ELF
// header in memory, because dl_iterate_phdr takes the loader's lock.
#include "preload/stacks/image.h"

#include "preload/system.h"

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/auxv.h>

static char program_path[IMAGE_PATH_MAX];
static char start_folder[IMAGE_PATH_MAX];

// Program headers, and the address of the entry point (0: none).
typedef struct {
  const Elf64_Phdr *headers;
  size_t count;
  uint64_t entry;
} segments_t;
static segments_t program_segments;

void image_start(void) {
  program_segments = (segments_t){(const Elf64_Phdr *)getauxval(AT_PHDR), getauxval(AT_PHNUM),
                                  getauxval(AT_ENTRY)};
  long length = system_call(SYS_readlinkat, AT_FDCWD, "/proc/self/exe", program_path,
                            sizeof program_path - 1);
  if (length < 0) program_path[0] = '\0';
  length = system_call(SYS_getcwd, start_folder, sizeof start_folder);
  if (length < 0 || start_folder[0] != '/') start_folder[0] = '\0';
}

static const void *pointer(uint64_t address) { return (const void *)(uintptr_t)address; }

// A library's header stands at the start of its mapping in all but odd files; those have their
// unwind information found, but no build id, and every page of it is asked for.
static segments_t library_segments(const image_t *image, memory_t *memory) {
  const segments_t none = {NULL};
  const Elf64_Ehdr *header = pointer(image->start);
  if (image->end - image->start < sizeof *header || !memory_probe(memory, image->start))
    return none;
  if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 || header->e_ident[EI_CLASS] != ELFCLASS64 ||
      header->e_phentsize != sizeof(Elf64_Phdr))
    return none;
  uint64_t at = image->start + header->e_phoff, size = header->e_phnum * sizeof(Elf64_Phdr);
  if (header->e_phoff > image->end - image->start || size > image->end - at ||
      !memory_probe_bytes(memory, at, size))
    return none;
  return (segments_t){pointer(at), header->e_phnum,
                      header->e_entry ? image->bias + header->e_entry : 0};
}

// The loader has the program's segments one by one where there are gaps between them.
static void extent_widen(image_t *image, const segments_t *segments) {
  for (size_t i = 0; i < segments->count; i++) {
    const Elf64_Phdr *segment = &segments->headers[i];
    if (segment->p_type != PT_LOAD) continue;
    uint64_t low = (image->bias + segment->p_vaddr) & ~UINT64_C(0xfff);
    uint64_t high = image->bias + segment->p_vaddr + segment->p_memsz;
    if (low < image->start) image->start = low;
    if (high > image->end) image->end = high;
  }
}

static bool is_program(const struct link_map *link_map) {
  return !link_map->l_prev && link_map->l_name && !*link_map->l_name && program_segments.headers;
}

static uint64_t padded(uint64_t size) { return (size + 3) & ~UINT64_C(3); }

// 0 where it cannot be read.
static uint64_t identity_read(const image_t *image, memory_t *memory) {
  const size_t size = sizeof image->identity;
  if (image->build_id_length < size || !memory_probe_bytes(memory, image->build_id, size)) return 0;
  return memory_peek(image->build_id, size);
}

static void build_id_find(image_t *image, const Elf64_Phdr *segment, memory_t *memory) {
  uint64_t at = image->bias + segment->p_vaddr, end = at + segment->p_memsz;
  if (segment->p_memsz > (16 << 10) || !memory_probe_bytes(memory, at, segment->p_memsz)) return;
  while (end - at >= sizeof(Elf64_Nhdr)) {
    const Elf64_Nhdr *note = pointer(at);
    uint64_t name = at + sizeof *note, bytes = name + padded(note->n_namesz);
    uint64_t next = bytes + padded(note->n_descsz);
    if (next > end) return;
    if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 &&
        memcmp(pointer(name), "GNU", 4) == 0 && note->n_descsz <= IMAGE_BUILD_ID_MAX) {
      image->build_id = bytes;
      image->build_id_length = note->n_descsz;
      image->identity = identity_read(image, memory);
      return;
    }
    at = next;
  }
}

static void segment_take(image_t *image, const Elf64_Phdr *segment, memory_t *memory) {
  uint64_t low = image->bias + segment->p_vaddr, high = low + segment->p_memsz;
  if (segment->p_type == PT_NOTE && !image->build_id)
    build_id_find(image, segment, memory);
  else if (segment->p_type == PT_LOAD && (segment->p_flags & PF_R) && low <= image->frame_header &&
           image->frame_header < high && low >= image->start && high <= image->end) {
    image->low = low;
    image->high = high;
  }
}

bool image_find(image_t *image, uint64_t address, memory_t *memory) {
  struct dl_find_object found;
  if (_dl_find_object((void *)(uintptr_t)address, &found) != 0) return false;
  *image = (image_t){.start = (uintptr_t)found.dlfo_map_start,
                     .end = (uintptr_t)found.dlfo_map_end,
                     .frame_header = (uintptr_t)found.dlfo_eh_frame,
                     .link_map = found.dlfo_link_map};
  image->bias = image->link_map->l_addr;
  segments_t segments =
      is_program(image->link_map) ? program_segments : library_segments(image, memory);
  if (is_program(image->link_map)) extent_widen(image, &segments);
  image->entry = segments.entry;
  for (size_t i = 0; i < segments.count; i++) segment_take(image, &segments.headers[i], memory);
  return true;
}

bool image_exists(uint64_t address) {
  struct dl_find_object found;
  return _dl_find_object((void *)(uintptr_t)address, &found) == 0;
}

bool image_stands(const image_t *image, uint64_t address, memory_t *memory) {
  struct dl_find_object found;
  if (_dl_find_object((void *)(uintptr_t)address, &found) != 0)
    return is_program(image->link_map);  // in a gap between its segments
  return found.dlfo_link_map == image->link_map &&
         (uintptr_t)found.dlfo_eh_frame == image->frame_header &&
         (uintptr_t)found.dlfo_map_start >= image->start &&
         (uintptr_t)found.dlfo_map_end <= image->end &&
         identity_read(image, memory) == image->identity;
}

bool image_readable(const image_t *image, uint64_t address, uint64_t size, memory_t *memory) {
  if (address >= image->low && address < image->high && size <= image->high - address) return true;
  return memory_probe_bytes(memory, address, size);
}

// The program itself has no name in the loader's list; a relative one is taken as from the folder
// the program started in, and put together in `scratch`.
static const char *path_find(const image_t *image, char *scratch, size_t *length) {
  const char *name = image->link_map->l_name;
  if (!name || !*name) name = program_path;
  *length = strnlen(name, IMAGE_PATH_MAX);
  size_t before = strlen(start_folder);
  if (*name == '/' || !memchr(name, '/', *length) || !before ||
      before + 1 + *length > IMAGE_PATH_MAX)
    return name;
  memcpy(scratch, start_folder, before);
  scratch[before] = '/';
  memcpy(scratch + before + 1, name, *length);
  *length += before + 1;
  return scratch;
}

bool image_announce(const image_t *image, char *scratch, const stacks_sink_t *sink) {
  size_t length;
  const char *path = path_find(image, scratch, &length);
  trace_module_t module = {.bias = image->bias,
                           .start = image->start,
                           .end = image->end,
                           .build_id_length = image->build_id_length,
                           .path_length = length};
  return sink->define_module(sink->arg, &module, pointer(image->build_id), path);
}
