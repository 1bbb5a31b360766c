# Sourced by the scripts of this folder: where things are, and the core built for other machines.
# The scripts may run at once; a lock lets the first one build and the others use the result.
root=${VB_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
build=${VB_BUILD_DIR:-$root/build}
cross_cpus="aarch64 s390x"

# The emulator and its options for a processor.
cross_emulator() {
    case $1 in
    aarch64) echo "qemu-aarch64 -cpu max" ;;
    *) echo "qemu-$1" ;;
    esac
}

# Prints what is missing to build for a processor; nothing when all is there.
cross_missing_compiler() {
    for tool in "$1-linux-gnu-gcc" "$1-linux-gnu-objdump" cmake ninja flock; do
        command -v "$tool" >/dev/null || echo "$tool"
    done
}

# cross_build CPU: the core layers and the programs of tests/programs, in $build/cross-CPU.
cross_build() {
    cross_dir=$build/cross-$1
    (
        flock 9
        cmake -G Ninja -S "$root" -B "$cross_dir" -DVB_CORE_ONLY=ON -DCMAKE_BUILD_TYPE=Release \
            -DCMAKE_TOOLCHAIN_FILE="$root/cmake/toolchains/$1-linux-gnu.cmake" &&
            nice ninja -j "${VB_JOBS:-2}" -C "$cross_dir" vb_arith vb_kernels vb_gguf vb_model \
                vb_sample kernel_digest exp_silu_digests sampling_vectors model_logits
    ) 9>"$build/cross-$1.lock" >"$build/cross-$1.log" 2>&1 || {
        cat "$build/cross-$1.log"
        echo "FAILED: the core does not build for $1"
        return 1
    }
}
