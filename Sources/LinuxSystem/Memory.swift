internal import CLinux

package enum Memory {
    /// Lets all threads allocate from one arena: a daemon that is idle most of its life has no use
    /// for several, which cost some 2 MB here. To be called before any thread is started.
    package static func useOneArena() { clinux_use_one_arena() }
}
