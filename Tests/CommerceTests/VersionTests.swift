import Testing

@testable import commerce

@Suite("commerce --version")
struct VersionTests {
    @Test("The version is asked for by itself or of a command that there is, and nothing is run")
    func version() async {
        #expect(await CommandLineInterface.run(["--version"], .process) == 0)
        #expect(await CommandLineInterface.run(["all", "--version"], .process) == 0)
        #expect(await CommandLineInterface.run(["load", "--orders", "1", "--version"], .process) == 0)
        #expect(await CommandLineInterface.run(["fly", "--version"], .process) == 2)
    }
}
