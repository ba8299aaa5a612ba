// What most unit tests include, compiled once for a sanitizer's build.
#pragma once

#include "catch.hpp"

#include <flux/config.hpp>
#include <flux/detail/core/loop.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>
