// Defined in the compiled mode only; see flux/detail/mode.hpp.
#include <flux/detail/mode.hpp>

bool flux_compiled_and_header_only_modes_must_not_be_mixed() noexcept { return true; }
