import Testing

@Suite struct LinuxSystemPlaceholder {
    @Test func placeholder() {}
}
