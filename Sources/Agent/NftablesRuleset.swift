internal import Enforcement
package import Nftables
package import Ruleset

/// The reconciler's kernel: nf_tables of this network namespace, through libnftables.
extension NftablesKernel: RulesetKernel {
    package func observe() throws -> [ObservedTable] {
        try tables { $0.hasPrefix(ObservedTable.namePrefix) }.tables
    }
}
