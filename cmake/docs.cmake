# Target docs: the reference of the public headers, as HTML in docs/html of the build folder.

find_package(Doxygen QUIET)
if(NOT DOXYGEN_FOUND)
  message(STATUS "flux: doxygen is not installed; there is no target docs")
  return()
endif()

set(DOXYGEN_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/docs")
set(DOXYGEN_EXCLUDE "${PROJECT_SOURCE_DIR}/include/flux/detail")
set(DOXYGEN_STRIP_FROM_PATH "${PROJECT_SOURCE_DIR}/include")
set(DOXYGEN_STRIP_FROM_INC_PATH "${PROJECT_SOURCE_DIR}/include")
# Private, or parts of a contract's test suite.
set(DOXYGEN_EXCLUDE_SYMBOLS *::detail flux::features flux::protocol flux::storage *::channel_contract *::chat_contract *::room_contract)

# How comments are written: the first sentence is the summary; the names of paragraphs, see headers.sed.
set(DOXYGEN_JAVADOC_AUTOBRIEF YES)
set(DOXYGEN_INPUT_FILTER "\"sed -E -f '${PROJECT_SOURCE_DIR}/cmake/docs/headers.sed'\"")
set(DOXYGEN_FILTER_PATTERNS "*.dox=cat")
set(DOXYGEN_ALIASES "Header=@file^^")
foreach(paragraph IN ITEMS Threading Ordering Errors Cost Durability Idempotence Retention)
  list(APPEND DOXYGEN_ALIASES "${paragraph}=@par ${paragraph}^^")
endforeach()

set(DOXYGEN_QUIET YES)
set(DOXYGEN_PREDEFINED ASIO_STANDALONE)
set(DOXYGEN_HAVE_DOT NO)
set(DOXYGEN_SORT_MEMBER_DOCS NO)
set(DOXYGEN_VERBATIM_HEADERS NO)
if(FLUX_WARNINGS_AS_ERRORS)
  set(DOXYGEN_WARN_AS_ERROR FAIL_ON_WARNINGS)
endif()
doxygen_add_docs(docs "${PROJECT_SOURCE_DIR}/include/flux" "${PROJECT_SOURCE_DIR}/cmake/docs/reference.dox")
