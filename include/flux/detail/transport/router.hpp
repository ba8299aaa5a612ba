// Maps HTTP requests to handlers.
#pragma once

#include <flux/detail/transport/path_pattern.hpp>
#include <flux/detail/transport/static_folder.hpp>
#include <flux/http.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace flux::transport {

/// The answer to one method on one pattern: a handler, or the files of a folder.
struct Route {
  std::string method;
  HttpHandler handler;
  RouteOptions options;
  std::shared_ptr<const StaticFolder> files;  ///< null if `handler` answers
  bool yields = false;                        ///< added with `add_yielding`
};

/// The router's result for a request.
struct RouteMatch {
  const Route* route = nullptr;  ///< null: answer with `status`, without a handler
  int status = 200;              ///< 404; 405 and 204 (OPTIONS) with `allow`
  std::string allow;             ///< value of the Allow field
};

/// The routes of a server. Filled before the start, then only read.
/// Threading: `match` from any thread once all routes are added.
class Router {
 public:
  /// Errors: throws flux::Error (bad_config) if the method is not a token or is CONNECT, the handler is empty, the
  /// pattern is invalid (PathPattern), or the method already has a handler on a pattern that matches the same paths.
  void add(std::string_view method, std::string_view pattern, HttpHandler handler, RouteOptions options = {});

  /// Serves GET and HEAD for everything below `prefix`, which may end with a slash; "/" serves the whole server.
  /// Errors: as for `add`; also if the folder does not exist, or the prefix contains a parameter.
  void add_static(std::string_view prefix, std::string_view folder, StaticOptions options = {});

  /// Serves GET and HEAD at `path`, which has no parameters, unless another route answers them there: whatever its
  /// pattern, whenever it is added, a handler, or a folder that has a file there. Errors: as for `add`.
  void add_yielding(std::string_view path, HttpHandler handler);

  /// Tries the patterns in the order of PathPattern::compare and takes the first that has a handler for the method;
  /// HEAD falls back to the handler of GET. OPTIONS without a handler is answered with 204 and Allow, on every path
  /// that has a handler and on "*". `captures` belongs to the route; it holds views into `path`. At the path of a route
  /// that yields it looks for the file of a folder, and may block on the file system.
  RouteMatch match(std::string_view method, std::string_view path, PathCaptures& captures) const;

  /// Whether there is a route whose pattern is exactly this text and which does not yield.
  bool has(std::string_view pattern) const noexcept;

  /// The name of the first route that was added with `authenticated`, as in error messages; empty: there is none.
  const std::string& first_authenticated() const noexcept { return first_authenticated_; }

 private:
  using Methods = std::vector<Route>;

  void insert(std::string_view pattern, Route route);
  static const Route* find(const Methods& routes, std::string_view method, bool yields) noexcept;
  static void add_allowed(std::string& allow, std::string_view method);

  PathTable<Methods> table_;
  std::vector<std::string> patterns_;  // as they were given, one for each route
  std::string allowed_anywhere_ = "OPTIONS";
  std::string first_authenticated_;
};

}  // namespace flux::transport

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/transport/router.ipp>
#endif
