// The rules of the quiz: questions, times and points. Knows no server, and sends nothing.
#pragma once

#include <flux/json.hpp>

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

/// Threading: one thread at a time.
class Game {
 public:
  using Time = std::chrono::milliseconds;
  static constexpr int choices = 4;  // of each question

  /// `questions`: `[{"text", "choices": [4 strings], "right": index}, …]`, one at least.
  Game(const flux::JsonText& questions, Time answer_time) : answer_time_(answer_time) {
    for (const flux::JsonView question : questions.elements()) questions_.emplace_back(question);
  }
  /// Adds a player with no points. A player that was added before keeps its points.
  void add_player(const std::string& id, const std::string& name) { players_.try_emplace(id, Player{.name = name}); }
  void remove_player(const std::string& id) { players_.erase(id); }
  bool question_is_open() const { return phase_ == "question"; }
  /// Moves on: lobby, question, result, question, …, result, end, question. Returns for how long a new question is open.
  std::optional<Time> next() {
    if (question_is_open()) {
      phase_ = "result";
      for (auto& [id, player] : players_) player.points += player.gained;
      return std::nullopt;
    }
    const bool goes_on = phase_ == "result";
    phase_ = goes_on && at_ + 1 == questions_.size() ? "end" : "question";
    if (!question_is_open()) return std::nullopt;
    at_ = goes_on ? at_ + 1 : 0;
    ends_at_ = now() + answer_time_;
    for (auto& [id, player] : players_) player = {.name = player.name, .points = goes_on ? player.points : 0};
    return answer_time_;
  }

  /// Accepts a player's answer to question `number`, counted from 1. Returns the reason if it is refused.
  std::optional<std::string> answer(const std::string& id, std::size_t number, int choice) {
    const auto found = players_.find(id);
    const Time left = ends_at_ - now();
    if (found == players_.end()) return "only players answer";
    if (!question_is_open() || number != at_ + 1 || left <= Time(0)) return "too late, this question is over";
    if (choice < 0 || choice >= choices) return "there is no such choice";
    if (found->second.choice >= 0) return "you have already answered this question";
    found->second.choice = choice;
    // 1,000 points at once, half of them at the last moment.
    if (choice == right()) found->second.gained = static_cast<int>(500 + 500 * left / answer_time_);
    return std::nullopt;
  }
  /// The number of players that have not answered the current question.
  std::ptrdiff_t missing() const {
    return std::ranges::count_if(players_, [](const auto& each) { return each.second.choice < 0; });
  }
  /// What everybody may see: `{phase, number, of, text, choices, answerTime, endsAt, right, counts,
  /// leaderboard: [{id, name, points, gain}]}`. Before the result, nothing in it depends on the answers.
  flux::JsonText state() const {
    using flux::JsonText;
    const JsonText& question = questions_[at_];
    const bool is_result = phase_ == "result";
    std::vector<std::pair<std::string, Player>> ranking(players_.begin(), players_.end());
    std::ranges::sort(ranking, {}, [](const auto& row) { return std::pair(-row.second.points, row.second.name); });
    std::vector<int> counts(choices);
    std::vector<JsonText> rows;
    for (const auto& [id, player] : ranking) {
      if (player.choice >= 0) ++counts[static_cast<std::size_t>(player.choice)];
      const int gain = is_result ? player.gained : 0;
      rows.push_back(JsonText::object({{"id", id}, {"name", player.name}, {"points", player.points}, {"gain", gain}}));
    }
    return JsonText::object({{"phase", phase_},
                             {"number", at_ + 1},
                             {"of", questions_.size()},
                             {"text", phase_ == "lobby" ? JsonText() : *question.at("/text")},
                             {"choices", phase_ == "lobby" ? JsonText() : *question.at("/choices")},
                             {"answerTime", answer_time_.count()},
                             {"endsAt", ends_at_.count()},
                             {"right", is_result ? right() : -1},
                             {"counts", is_result ? JsonText::array(counts) : JsonText()},
                             {"leaderboard", JsonText::array(rows)}});
  }
  /// What only the player may see: `{id, choice, now}`, with the present time, to which `endsAt` compares.
  flux::JsonText seen_by(const std::string& id) const {
    const auto player = players_.find(id);
    const int choice = player == players_.end() ? -1 : player->second.choice;
    return flux::JsonText::object({{"id", id}, {"choice", choice}, {"now", now().count()}});
  }

 private:
  struct Player {
    std::string name;
    int points = 0;
    int gained = 0;   // with the present question
    int choice = -1;  // likewise; -1: none
  };

  static Time now() { return std::chrono::duration_cast<Time>(std::chrono::steady_clock::now().time_since_epoch()); }
  int right() const { return questions_[at_].get<int>("/right").value(); }

  std::vector<flux::JsonText> questions_;
  Time answer_time_;
  std::string phase_ = "lobby";  // as in the state: then "question" and "result" in turns, and "end"
  std::size_t at_ = 0;           // the present question
  Time ends_at_{};
  std::map<std::string, Player> players_;  // by id
};
