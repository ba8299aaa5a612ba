// The compiled mode's translation unit of flux::Auth. Programs that don't use it don't link it.
#include <flux/detail/server/auth.ipp>
