// The compiled mode's translation unit of API keys. Programs without such keys don't link it.
#include <flux/detail/gate/api_key_text.ipp>
#include <flux/detail/gate/api_keys.ipp>
