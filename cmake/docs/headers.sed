# What Doxygen reads instead of a header: the same lines, with flux's conventions as commands of Doxygen.

# The comment at the top describes the file; "Errors: …" and the like begin a paragraph of that name. Aliases in docs.cmake.
1,/^#pragma once/ s|^//|///|
1 s|^///|/// @Header|
/\/\/\// s/(Threading|Ordering|Errors|Cost|Durability|Idempotence|Retention): +/@\1 /g

# "// --- Rooms ---" begins a group of members.
s|^ *// --- (.*) ---$|/** @name \1 *//** @{ */|

# Not for applications: members for flux itself, friends, what is deleted, and what the compiler writes.
s/For flux itself/@private &/
s/^ *friend (class|struct) .*;$//
s/^.* = (default|delete);$//

# Words, not classes.
/\/\/\// s/(^|[^`:])(WebSocket|Options)([^A-Za-z:`]|$)/\1%\2\3/g

# Doxygen 1.9.4 takes a digit separator for the beginning of a character, and loses its place behind a raw string.
s/'([0-9]{3})/\1/g
/\/\/\// !s/R"\(.*\)"/""/
