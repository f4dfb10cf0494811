#!/bin/sh
# Builds the demo's broken program in the directory $1: a viewer, its plugin (built against libpicture 2.4) and, as the
# installed library, libpicture 2.2. CC is the compiler.
set -eu
from=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1/lib" "$1/plugins" "$1/newer"
cd "$1"
top=$(pwd)
cc=${CC:-cc}
library="-shared -fPIC -Wl,-soname,libpicture.so.2"
$cc $library -DNEWER -Wl,--version-script,"$from/picture-2.4.map" -o newer/libpicture.so.2 "$from/picture.c"
$cc -shared -fPIC -Wl,-z,now -Wl,-rpath,"$top/lib" -o plugins/sharpen.so "$from/sharpen.c" newer/libpicture.so.2
rm -r newer
$cc $library -Wl,--version-script,"$from/picture-2.2.map" -o lib/libpicture.so.2 "$from/picture.c"
$cc -DPLUGIN="\"$top/plugins/sharpen.so\"" -o viewer "$from/viewer.c" -ldl
