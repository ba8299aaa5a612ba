// Signals that stop a server. Each test runs in a separate process.
#include "support/application.hpp"
#include "support/child.hpp"
#include "support/server.hpp"

#include <flux/asio.hpp>
#include <flux/signals.hpp>

#include <csignal>
#include <mutex>
#include <string>

namespace signals_test {

using namespace flux_test;

namespace {

void of_the_program(int) {}

using Action = void (*)(int);

Action action(int number) {
  struct sigaction now {};
  ::sigaction(number, nullptr, &now);
  return now.sa_handler;
}

std::string named(Action action) {
  if (action == of_the_program) return "program";
  return action == SIG_DFL ? "default" : "flux";
}

void send(int number) { ::kill(::getpid(), number); }

/// Runs `body` in a new process, and returns what it returned.
template <class Body>
std::string in_program(const Body& body) {
  return in_child([&] {
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) std::signal(number, SIG_DFL);  // Catch2 sets handlers too
    return body();
  });
}

/// What happened, in one line.
class Story {
 public:
  void add(const std::string& what) {
    const std::lock_guard lock(mutex_);
    text_ += (text_.empty() ? "" : "; ") + what;
  }
  std::string text() {
    const std::lock_guard lock(mutex_);
    return text_;
  }
  flux::LogSink sink() {
    return [this](flux::LogLevel level, std::string_view line) {
      if (line.starts_with("listening")) return;
      add((level == flux::LogLevel::error ? "error: " : "") + std::string(line) + " (" + named(action(SIGINT)) + ", " +
          named(action(SIGTERM)) + ")");
    };
  }

 private:
  std::mutex mutex_;
  std::string text_;
};

}  // namespace

TEST_CASE("signals: each one stops the server, a second one would end the process, and handlers are restored") {
  CHECK(in_program([] {
          std::signal(SIGTERM, of_the_program);
          Story story;
          auto config = test_config();
          config.log = story.sink();
          flux::Server server(config);
          flux::stop_on_signals(server, {.grace = 100ms});
          for (const int number : {SIGTERM, SIGINT}) {
            server.start();
            story.add(named(action(SIGINT)) + ", " + named(action(SIGTERM)));
            send(number);
            server.wait();
            story.add(named(action(SIGINT)) + ", " + named(action(SIGTERM)));
          }
          return story.text();
        }) ==
        "flux, flux; SIGTERM: stopping (default, default); default, program; "
        "flux, flux; SIGINT: stopping (default, default); default, program");
}

TEST_CASE("signals: run() returns; in the application's io_context, that context's run()") {
  CHECK(in_program([] {
          Story story;
          for (const bool in_context : {false, true}) {
            asio::io_context context;
            flux::Server server(test_config());
            if (in_context) flux::use_context(server, context);
            flux::stop_on_signals(server);
            server.call_after(0ms, [] { send(SIGTERM); });
            if (in_context) {
              server.start();
              context.run();
            } else {
              server.run();
            }
            story.add(server.running() ? "runs" : "stopped");
          }
          return story.text();
        }) == "stopped; stopped");
}

TEST_CASE("signals: while a handler hangs, a second signal ends the process") {
  Child child([](int output) {
    flux::Server server(test_config());
    flux::stop_on_signals(server);
    server.call_after(0ms, [&] {
      send(SIGTERM);
      Child::write_to(output, named(action(SIGTERM)));
      send(SIGTERM);
      Child::write_to(output, "; lives on");
    });
    server.run();
    Child::write_to(output, "; returned");
  });
  CHECK(child.read_all() == "default");
}

TEST_CASE("signals: a stop by the program restores its handlers, except where it has set new ones meanwhile") {
  CHECK(in_program([] {
          Story story;
          flux::Server server(test_config());
          flux::stop_on_signals(server);
          server.start();
          std::signal(SIGTERM, of_the_program);
          server.stop();
          story.add(named(action(SIGINT)) + ", " + named(action(SIGTERM)));
          return story.text();
        }) == "default, program");
}

TEST_CASE("signals: only one server at a time can handle them") {
  CHECK(in_program([] {
          Story story;
          flux::Server first(test_config());
          flux::stop_on_signals(first);
          auto second = std::make_unique<flux::Server>(test_config());
          flux::stop_on_signals(*second);
          first.start();
          story.add(thrown_by([&] { second->start(); }).second);
          story.add(second->running() ? "runs" : "does not run");
          first.stop();
          second->start();
          story.add(thrown_by([&] { first.start(); }).second);
          second.reset();
          first.start();
          send(SIGINT);
          first.wait();
          story.add("stopped");
          story.add(thrown_by([&] {
                      first.start();
                      flux::stop_on_signals(first);
                    }).second);
          return story.text();
        }) ==
        "stop_on_signals: another server of this process already handles signals; does not run; "
        "stop_on_signals: another server of this process already handles signals; stopped; "
        "adding a service is only possible before the server starts");
}

TEST_CASE("signals: SIGHUP reloads the certificate if that is enabled") {
  CHECK(in_program([] {
          Story story;
          auto config = test_config();
          config.log = story.sink();
          flux::Server server(config);
          flux::stop_on_signals(server, {.reload_certificates = true});
          server.start();
          send(SIGHUP);
          if (!eventually([&] { return !story.text().empty(); })) story.add("no log");
          send(SIGTERM);
          server.wait();
          story.add(named(action(SIGHUP)));
          flux::Server other(test_config());
          flux::stop_on_signals(other);
          other.start();
          story.add(named(action(SIGHUP)));
          return story.text();
        }) ==
        "error: SIGHUP: this server has no certificate: Config::tls is empty (flux, flux); "
        "SIGTERM: stopping (default, default); default; default");
}

}  // namespace signals_test
