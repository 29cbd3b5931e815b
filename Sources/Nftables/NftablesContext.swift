internal import CNftables
internal import Glibc
internal import LinuxSystem
internal import Netlink

/// A libnftables context with buffered output.
///
/// Only in the worker process: its calls block, hang, and end the process.
final class NftablesContext {
    private let context: OpaquePointer

    /// - Throws: ``KernelError/Code/unavailable`` when the library can't make a context. A netlink
    ///   socket that can't be opened ends the process: libnftables calls `exit`.
    init(isDryRun: Bool = false) throws(KernelError) {
        guard let context = nft_ctx_new(UInt32(NFT_CTX_DEFAULT)) else {
            throw KernelError(.unavailable, "libnftables can't make a context: out of memory")
        }
        // From here on `deinit` frees it, also where this throws.
        self.context = context
        guard nft_ctx_buffer_output(context) == 0, nft_ctx_buffer_error(context) == 0 else {
            throw KernelError(.unavailable, "libnftables can't buffer its output: out of memory")
        }
        nft_ctx_set_dry_run(context, isDryRun)
        // Numbers instead of names: a listing must not depend on /etc/protocols or on a version's
        // choice of words. Sets' elements are read otherwise.
        nft_ctx_output_set_flags(
            context,
            UInt32(NFT_CTX_OUTPUT_JSON | NFT_CTX_OUTPUT_NUMERIC_ALL | NFT_CTX_OUTPUT_TERSE))
    }

    deinit { nft_ctx_free(context) }

    /// Runs commands of nft's language as one transaction.
    ///
    /// - Returns: the output of the commands: JSON for listings.
    func run(_ commands: String) throws(RunFailure) -> [UInt8] {
        // From a file in memory rather than a buffer, about whose errors libnftables tells no line.
        let status: Int32
        do throws(SystemError) {
            let file = try MemoryFile(holding: Array(commands.utf8), name: "nftables")
            status = nft_run_cmd_from_filename(context, file.path)
            // A value that can't be copied lives until its last use.
            _ = consume file
        } catch {
            throw RunFailure(text: "Error: \(error)")
        }
        // The library reuses its buffers in the next call.
        let output = nft_ctx_get_output_buffer(context).map {
            Array(UnsafeRawBufferPointer(start: $0, count: strlen($0)))
        }
        let errors = nft_ctx_get_error_buffer(context).map { String(cString: $0) } ?? ""
        guard status == 0 else { throw RunFailure(text: errors) }
        return output ?? []
    }

    /// Frees what libnftables keeps of nf_tables' state: no command needs any of it. So does a run
    /// that fails, so that its status is no matter.
    func forget() { _ = nft_run_cmd_from_buffer(context, "") }

    /// The text that libnftables wrote about commands that failed, as ``Complaints`` reads it.
    struct RunFailure: Error {
        let text: String
    }
}
