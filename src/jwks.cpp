// The compiled mode's translation unit of issuers' keys: the HTTPS client, and what it fetches. Only programs with
// `flux::Auth` link it.
#include <flux/detail/gate/jwks_source.ipp>
#include <flux/detail/transport/http_response_parser.ipp>
#include <flux/detail/transport/https_client.ipp>
#include <flux/detail/transport/tls_client.ipp>
