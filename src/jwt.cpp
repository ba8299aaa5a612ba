// The compiled mode's translation unit of JSON Web Tokens. Programs that don't use them don't link it.
#include <flux/detail/core/base64url.ipp>
#include <flux/detail/gate/jwt.ipp>
#include <flux/detail/gate/jwt_claims.ipp>
#include <flux/detail/gate/jwt_jwks.ipp>
#include <flux/detail/gate/jwt_key.ipp>
#include <flux/detail/gate/jwt_object.ipp>
