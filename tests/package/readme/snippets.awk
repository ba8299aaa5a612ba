# Writes each ```cpp block of a Markdown file to folder/snippet_<line>.cpp. The line above a block says how it is
# compiled:
#   <!-- compile -->         unchanged: a whole source file; one with main() is linked, too
#   <!-- compile: body -->   as the body of a function that has `flux::Server& server` and `flux::Config& config`
#   <!-- no compile -->      not at all
# A block without such a line is an error, so that none is forgotten.
function fail(message) {
  print FILENAME ":" FNR ": " message > "/dev/stderr"
  failed = 1
}
!inside && /^<!-- (compile|compile: body|no compile) -->$/ { mark = $0; next }
!inside && /^```cpp/ {
  inside = 1
  file = ""
  if (mark == "") fail("a cpp block without <!-- compile -->, <!-- compile: body --> or <!-- no compile --> above it")
  else if (mark != "<!-- no compile -->") file = folder "/snippet_" FNR ".cpp"
  if (mark == "<!-- compile: body -->") {
    print "#include <flux/flux.hpp>\n" > file
    print "void snippet([[maybe_unused]] flux::Server& server, [[maybe_unused]] flux::Config& config) {" > file
  }
  if (file != "") print "#line " (FNR + 1) " \"" FILENAME "\"" > file
  next
}
inside && /^```/ {
  if (mark == "<!-- compile: body -->") print "}" > file
  if (file != "") close(file)
  inside = 0
  mark = ""
  next
}
inside { if (file != "") print > file; next }
!/^[ \t]*$/ { mark = "" }
END {
  if (inside) fail("a cpp block that does not end")
  exit failed
}
