// A second translation unit, which starts no server and so compiles fast.
#include <flux/flux.hpp>

#if defined(FLUX_HEADER_ONLY)
// The code that serves files, a quarter of all, comes with flux/storage/file_store.hpp only.
template <class T>
concept Defined = requires {
  sizeof(T);
};
static_assert(!Defined<flux::FileStore>);
#endif

bool second_unit_works() {
  const auto list = flux::JsonText::parse("[1, 2]");
  return list.ok() && list->get<int>("/1") == 2;
}
