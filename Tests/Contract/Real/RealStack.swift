#if Production
    import Foundation

    /// The script that starts, signals and restarts the real servers, named by `REAL_STACK`; without it, cases that kill a
    /// server are refused.
    struct RealStack: Sendable {
        let script: String

        static var fromEnvironment: RealStack? {
            ProcessInfo.processInfo.environment["REAL_STACK"].map { RealStack(script: $0) }
        }

        /// Runs one of its commands. Blocks for as long as that takes.
        func run(_ arguments: String...) throws {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: script)
            process.arguments = arguments
            process.standardOutput = FileHandle.nullDevice
            let errors = Pipe()
            process.standardError = errors
            try process.run()
            process.waitUntilExit()
            guard process.terminationStatus == 0 else {
                let text = String(decoding: errors.fileHandleForReading.availableData, as: UTF8.self)
                throw ContractFailure("\(script) \(arguments) failed: \(text)")
            }
        }
    }
#endif
