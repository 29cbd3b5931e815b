extension Reconciler {
    /// The process that made a change.
    package struct Writer: Hashable, Sendable {
        /// With its arguments where they are known.
        package var process: String
        /// The kernel's name of its thread, 15 bytes at most.
        package var name: String
        /// The thread's id in the initial pid namespace.
        package var pid: Int32

        package init(process: String, name: String, pid: Int32) {
            self.process = process
            self.name = name
            self.pid = pid
        }
    }
}
