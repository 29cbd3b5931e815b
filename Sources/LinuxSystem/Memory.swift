internal import CLinux

/// How the C library's allocator keeps memory.
package enum Memory {
    /// Lets all threads allocate from one arena: a daemon that is idle most of its life has no use
    /// for several, which cost some 2 MB here. To be called before any thread is started.
    package static func useOneArena() { clinux_use_one_arena() }

    /// Gives large blocks back to the kernel when they are freed: what a client once sent or asked
    /// for is not kept for ever.
    package static func returnLargeBlocks() { clinux_return_large_blocks() }

    /// Gives back to the kernel what was freed and is kept for the next allocation.
    package static func trim() { clinux_trim() }
}
