import Foundation

extension PurchaseLog {
    /// The log that comes with the package: 69,659 real orders.
    public static func bundled() throws -> PurchaseLog {
        guard let url = Bundle.module.url(forResource: "cdnow", withExtension: "txt") else {
            throw PurchaseLogError(line: 0, problem: "the bundled purchase log is missing beside the program")
        }
        return try PurchaseLog([UInt8](Data(contentsOf: url)))
    }

    /// Reads a log from a file.
    ///
    /// - Throws: ``PurchaseLogError``, or the file system's own error.
    public init(contentsOf path: String) throws {
        try self.init([UInt8](Data(contentsOf: URL(fileURLWithPath: path))))
    }
}
