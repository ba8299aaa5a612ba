# One packaging test: configures, builds and runs a project of this folder.
#
# cmake -DCASE=… -DFLUX_SOURCE_DIR=… -DFLUX_BINARY_DIR=… -DSETTINGS=… -P check.cmake
#   CASE       install, or a folder beside this file
#   SETTINGS   arguments for configuring: generator, compiler, build type and where packages are
set(work "${FLUX_BINARY_DIR}/package/${CASE}")
set(prefix "${FLUX_BINARY_DIR}/package/prefix")

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "failed (${result}): ${command}")
  endif()
endfunction()

if(CASE STREQUAL "install")
  file(REMOVE_RECURSE "${prefix}")
  run("${CMAKE_COMMAND}" --install "${FLUX_BINARY_DIR}" --prefix "${prefix}")
  return()
endif()

file(REMOVE_RECURSE "${work}")
run("${CMAKE_COMMAND}" -S "${CMAKE_CURRENT_LIST_DIR}/${CASE}" -B "${work}" ${SETTINGS} "-DCMAKE_PREFIX_PATH=${prefix}"
    "-DFLUX_SOURCE_DIR=${FLUX_SOURCE_DIR}" "-DFLUX_README=${FLUX_SOURCE_DIR}/README.md"
    --no-warn-unused-cli)

if(CASE STREQUAL "mixed")
  run("${CMAKE_COMMAND}" --build "${work}" --target units)
  execute_process(
    COMMAND "${CMAKE_COMMAND}" --build "${work}" --target hello
    RESULT_VARIABLE result
    OUTPUT_VARIABLE output
    ERROR_VARIABLE output)
  if(result EQUAL 0)
    message(FATAL_ERROR "a program that uses both modes was linked")
  endif()
  if(NOT output MATCHES "flux_compiled_and_header_only_modes_must_not_be_mixed")
    message(FATAL_ERROR "linking failed, but not for the marker symbol:\n${output}")
  endif()
  return()
endif()

run("${CMAKE_COMMAND}" --build "${work}" --parallel 2)
if(EXISTS "${work}/hello")
  run("${work}/hello")
endif()
