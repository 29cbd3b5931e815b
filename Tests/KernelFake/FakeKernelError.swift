/// What the fake kernel does not take, in words.
package struct FakeKernelError: Error, Hashable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}
