// The hand of the kernel tests inside one network namespace: sends crafted packets, records what
// passed the input hook, and makes ordinary TCP connections, as its standard input says.
import Glibc

do {
    try Probe().run()
} catch {
    complain("packet-probe: \(error)")
    exit(1)
}
