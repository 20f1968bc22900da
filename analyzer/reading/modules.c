// SPDX-License-Identifier: Apache-2.0
// The files that were mapped as code, and when. See the header.
#include "analyzer/reading/modules.h"

#include "analyzer/reading/memory.h"

#include <stdlib.h>
#include <string.h>

void reading_modules_free(reading_modules_t *table) {
  for (size_t i = 0; i < table->count; i++) free((char *)table->modules[i].path);
  free(table->modules);
  free(table->gone);
  *table = (reading_modules_t){0};
}

static bool module_is(const reader_module_t *known, const trace_module_t *module,
                      const uint8_t *build_id, const char *path) {
  return known->start == module->start && known->end == module->end &&
         known->bias == module->bias && known->build_id_length == module->build_id_length &&
         memcmp(known->build_id, build_id, known->build_id_length) == 0 &&
         strlen(known->path) == module->path_length &&
         memcmp(known->path, path, module->path_length) == 0;
}

// The module with these addresses that is mapped now, or was when this fact was noted: lanes are
// read one a little ahead of the other.
static reader_module_t *module_find(reading_modules_t *table, const trace_module_t *module,
                                    const uint8_t *build_id, const char *path, uint64_t time) {
  for (size_t i = table->count; i-- > 0;) {
    reader_module_t *known = &table->modules[i];
    if (known->unloaded >= time && module_is(known, module, build_id, path)) return known;
  }
  return NULL;
}

bool reading_modules_add(reading_modules_t *table, const trace_record_t *record, uint64_t time) {
  trace_module_t module;
  const uint8_t *build_id;
  const char *path;
  if (!record->payload ||
      !trace_module_unpack(record->payload, (size_t)record->arg, &module, &build_id, &path))
    return false;
  if (module.end <= module.start || memchr(path, '\0', (size_t)module.path_length)) return false;
  reader_module_t *known = module_find(table, &module, build_id, path, time);
  if (known) {
    if (time < known->loaded) known->loaded = time;
    return true;
  }
  table->modules =
      memory_grow(table->modules, &table->capacity, table->count + 1, sizeof *table->modules);
  reader_module_t *added = &table->modules[table->count++];
  *added = (reader_module_t){.bias = module.bias,
                             .start = module.start,
                             .end = module.end,
                             .loaded = time,
                             .unloaded = UINT64_MAX,
                             .build_id_length = (size_t)module.build_id_length,
                             .path = memory_text(path, (size_t)module.path_length)};
  memcpy(added->build_id, build_id, added->build_id_length);
  return true;
}

void reading_modules_remove(reading_modules_t *table, uint64_t start, uint64_t time) {
  for (size_t i = table->count; i-- > 0;) {
    reader_module_t *module = &table->modules[i];
    if (module->start != start || module->unloaded != UINT64_MAX || module->loaded > time) continue;
    module->unloaded = time;
    table->gone =
        memory_grow(table->gone, &table->gone_capacity, table->gone_count + 1, sizeof *table->gone);
    size_t at = table->gone_count++;
    for (; at > 0 && table->gone[at - 1] > time; at--) table->gone[at] = table->gone[at - 1];
    table->gone[at] = time;
    return;
  }
}

bool reading_modules_changed(const reading_modules_t *table, uint64_t earlier, uint64_t later) {
  size_t low = 0;
  for (size_t high = table->gone_count; low < high;) {
    size_t middle = low + (high - low) / 2;
    if (table->gone[middle] <= earlier)
      low = middle + 1;
    else
      high = middle;
  }
  return low < table->gone_count && table->gone[low] <= later;
}

bool reading_modules_same(const reading_modules_t *table, uint64_t address, uint64_t earlier,
                          uint64_t later) {
  for (size_t i = 0; i < table->count; i++) {
    const reader_module_t *module = &table->modules[i];
    if (module->unloaded > earlier && module->unloaded <= later && address >= module->start &&
        address < module->end)
      return false;
  }
  return true;
}
