#pragma once

#include <flux/detail/features/file_share.hpp>
#include <flux/detail/gate/shown.hpp>
#include <flux/detail/mode.hpp>

#include <string>
#include <utility>

namespace flux::features {

FLUX_DECL void ask_to_share(Backend& backend, const std::shared_ptr<detail::SessionState>& session,
                            const FileInfo& file, const RoomId& room,
                            const std::function<void(Result<FileHolder>)>& done) {
  const auto known = session->identity();
  FileHolder holder{false, known ? known->user_id : std::string(), session->id(), nullptr};
  if (!backend.gate.file) return done(std::move(holder));
  const gate::ShownInMessage shown("files", {}, JsonText(), session->remote());
  backend.gate.let_use(session->loop(), shown, {FileAction::share, file, room, Session(session)},
                       [done, holder = std::move(holder)](const Result<Grant>& grant) mutable {
                         if (grant) {
                           const std::string& user = grant->identity.user_id;
                           if (!user.empty()) holder.user_id = user;
                           return done(std::move(holder));
                         }
                         const Error& why = grant.error();
                         switch (why.code()) {
                           case Errc::unauthorized: return done(Error(Errc::forbidden, why.message()));
                           case Errc::overloaded: return done(Error(Errc::overloaded, why.message() + "; try again"));
                           default: return done(Error(Errc::server_error, "the server failed to handle this message"));
                         }
                       });
}

}  // namespace flux::features
