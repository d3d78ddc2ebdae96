// Snapshots between processes.
#include "pyhost/python.hpp"

namespace krait::pyhost {

std::shared_ptr<const PythonSnapshot> cached_snapshot(const PythonRuntime& runtime, const store::Digest& key) {
  if (!runtime.cache()) return nullptr;
  const auto image = runtime.cache()->open(key);
  if (!image) return nullptr;
  auto mapped = PythonSnapshot::map(runtime, image->file.get(), image->size);
  if (mapped) return std::move(*mapped);
  runtime.cache()->drop(key, mapped.error().to_string());
  return nullptr;
}

std::shared_ptr<const PythonSnapshot> keep_snapshot(const PythonRuntime& runtime, const store::Digest& key,
                                                    std::shared_ptr<const PythonSnapshot> snapshot) {
  if (!runtime.cache()) return snapshot;
  runtime.cache()->keep(key, snapshot->encode_plain());
  auto kept = cached_snapshot(runtime, key);
  return kept ? kept : snapshot;
}

Result<std::shared_ptr<const PythonSnapshot>> base_snapshot(const std::shared_ptr<const PythonRuntime>& runtime,
                                                            const std::byte* native_stack_limit) {
  const store::Digest key = ImageCache::key({"python", runtime->identity()});
  if (auto known = cached_snapshot(*runtime, key)) return known;
  PythonOptions options;
  options.env = default_python_env();
  options.stdio = {};
  options.native_stack_limit = native_stack_limit;
  auto booted = PythonInstance::create(runtime, std::move(options));
  if (!booted) return std::move(booted.error());
  if (auto warmed = (*booted)->warm(); !warmed) return std::move(warmed.error());
  auto taken = (*booted)->snapshot();
  if (!taken) return taken;
  return keep_snapshot(*runtime, key, std::move(*taken));
}

}  // namespace krait::pyhost
