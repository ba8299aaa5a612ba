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

# Adds the sources of a target to the target `tidy`, which runs clang-tidy over them with the checks of .clang-tidy, if
# FLUX_CLANG_TIDY is set and clang-tidy is installed. Nothing is compiled for it.
function(flux_set_clang_tidy target)
  if(NOT FLUX_CLANG_TIDY)
    return()
  endif()
  find_program(FLUX_CLANG_TIDY_PROGRAM clang-tidy DOC "clang-tidy; used where found and FLUX_CLANG_TIDY is set")
  mark_as_advanced(FLUX_CLANG_TIDY_PROGRAM)
  if(NOT TARGET tidy)
    add_custom_target(tidy ALL)
    if(NOT FLUX_CLANG_TIDY_PROGRAM)
      message(STATUS "flux: clang-tidy is not installed; building without it")
    endif()
  endif()
  if(NOT FLUX_CLANG_TIDY_PROGRAM)
    return()
  endif()
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/include/*.hpp" "${PROJECT_SOURCE_DIR}/include/*.ipp"
       "${PROJECT_SOURCE_DIR}/src/*.hpp")
  # Seven sources at a time, as one unit: reading the packages' headers takes most of the time.
  get_target_property(sources ${target} SOURCES)
  list(LENGTH sources left)
  set(definitions "$<TARGET_PROPERTY:${target},COMPILE_DEFINITIONS>")
  set(unit_sources)
  set(checked)
  foreach(source IN LISTS sources)
    cmake_path(ABSOLUTE_PATH source BASE_DIRECTORY "${PROJECT_SOURCE_DIR}" NORMALIZE)
    list(APPEND unit_sources "${source}")
    list(LENGTH unit_sources count)
    math(EXPR left "${left} - 1")
    if(count LESS 7 AND left GREATER 0)
      continue()
    endif()
    set(unit "${PROJECT_BINARY_DIR}/tidy/${target}_${left}.cpp")
    list(TRANSFORM unit_sources REPLACE "(.+)" "#include \"\\1\"\n" OUTPUT_VARIABLE includes)
    list(JOIN includes "" includes)
    file(CONFIGURE OUTPUT "${unit}" CONTENT "${includes}" @ONLY)
    add_custom_command(
      OUTPUT "${unit}.checked"
      COMMAND
        "${FLUX_CLANG_TIDY_PROGRAM}" --quiet "--config-file=${PROJECT_SOURCE_DIR}/.clang-tidy"
        --checks=-bugprone-suspicious-include
        $<$<BOOL:${FLUX_WARNINGS_AS_ERRORS}>:--warnings-as-errors=*> "${unit}" -- -x c++ -std=c++20
        "-I$<JOIN:$<TARGET_PROPERTY:${target},INCLUDE_DIRECTORIES>,;-I>"
        "$<$<BOOL:${definitions}>:-D$<JOIN:${definitions},;-D>>" -Wall -Wextra -Wpedantic -Wshadow -Wconversion
      COMMAND "${CMAKE_COMMAND}" -E touch "${unit}.checked"
      DEPENDS "${unit}" ${unit_sources} ${headers} "${PROJECT_SOURCE_DIR}/.clang-tidy"
      COMMENT "clang-tidy ${unit}"
      COMMAND_EXPAND_LISTS VERBATIM)
    list(APPEND checked "${unit}.checked")
    set(unit_sources)
  endforeach()
  add_custom_target(tidy_${target} DEPENDS ${checked})
  add_dependencies(tidy tidy_${target})
endfunction()
