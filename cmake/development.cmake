# Settings for work on flux itself. They are not applied when flux is part of another project.

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Debug, Release, RelWithDebInfo or MinSizeRel" FORCE)
endif()

set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

find_program(FLUX_CCACHE ccache DOC "Compiler cache; used where found")
mark_as_advanced(FLUX_CCACHE)
if(FLUX_CCACHE AND NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${FLUX_CCACHE}")
endif()

# Warnings for one of flux's own targets; errors if FLUX_WARNINGS_AS_ERRORS is set.
function(flux_set_warnings target)
  if(MSVC)
    target_compile_options(${target} PRIVATE /W4 /permissive- $<$<BOOL:${FLUX_WARNINGS_AS_ERRORS}>:/WX>)
  else()
    target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wconversion
                                             $<$<BOOL:${FLUX_WARNINGS_AS_ERRORS}>:-Werror>)
    # GCC 12 wrongly reports overlaps in operator+ of strings (GCC bug 105651).
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
      target_compile_options(${target} PRIVATE -Wno-restrict)
    endif()
  endif()
endfunction()

# clang-tidy with the checks of .clang-tidy, if FLUX_CLANG_TIDY is set and clang-tidy is installed.
function(flux_set_clang_tidy target)
  if(NOT FLUX_CLANG_TIDY)
    return()
  endif()
  find_program(FLUX_CLANG_TIDY_PROGRAM clang-tidy DOC "clang-tidy; used where found and FLUX_CLANG_TIDY is set")
  mark_as_advanced(FLUX_CLANG_TIDY_PROGRAM)
  if(NOT FLUX_CLANG_TIDY_PROGRAM)
    message(STATUS "flux: clang-tidy is not installed; building without it")
    return()
  endif()
  set(command "${FLUX_CLANG_TIDY_PROGRAM}" --quiet --extra-arg=-Wno-unknown-warning-option)
  if(FLUX_WARNINGS_AS_ERRORS)
    list(APPEND command --warnings-as-errors=*)
  endif()
  set_target_properties(${target} PROPERTIES CXX_CLANG_TIDY "${command}")
endfunction()
