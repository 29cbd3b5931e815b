import Enforcement
import LinuxSystem

extension OperatorSession {
    /// The SSH session that this program runs in; nil where it runs in none.
    ///
    /// `sudo` takes `SSH_CONNECTION` out of the environment, so it is looked for in those of this
    /// process's ancestors.
    static var current: OperatorSession? {
        var pid = ProcessAncestry.own
        // Far deeper than people nest their shells; a loop can't be.
        for _ in 0..<64 {
            if let text = ProcessAncestry.variable("SSH_CONNECTION", of: pid) {
                return OperatorSession(sshConnection: text)
            }
            guard let parent = ProcessAncestry.parent(of: pid), parent > 1 else { return nil }
            pid = parent
        }
        return nil
    }
}
