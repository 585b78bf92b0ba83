import AdapterHTTP
import Domain
import Foundation
import Ports
import Testing

@testable import commerce

@Suite struct ConfigurationTests {
    @Test("Without any variable every setting has the default that help prints")
    func defaults() throws {
        let configuration = try ShopConfiguration(Environment([:]))
        #expect(configuration.shop.paymentLifetime == .seconds(60))
        #expect(configuration.http.limits.maximumBodyByteCount == 65_536)
        #expect(configuration.catalogue.isEmpty)
        #expect(configuration.logLevel == .info)
    }

    @Test("A value that is no number, or out of range, is an error that names variable, value and range")
    func badNumbers() {
        for value in ["", "x", "-1", "0", "1.5", "99999999999999999999"] where !value.isEmpty {
            let error = #expect(throws: ConfigurationError.self) {
                _ = try ShopConfiguration(Environment(["PAYMENT_LIFETIME_MS": value]))
            }
            #expect(
                error?.description
                    == "PAYMENT_LIFETIME_MS: '\(value)' is not usable; expected a whole number from 1 to 2592000000")
        }
    }

    @Test("A variable that is set but empty counts as not set")
    func empty() throws {
        #expect(try ShopConfiguration(Environment(["LOG_LEVEL": ""])).logLevel == .info)
    }

    @Test("NAME_FILE names a file whose first line holds the value")
    func file() throws {
        let path = NSTemporaryDirectory() + "commerce-\(ProcessInfo.processInfo.globallyUniqueString)"
        try "debug\nsecond line\n".write(toFile: path, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(atPath: path) }
        #expect(try Environment(["LOG_LEVEL_FILE": path]).logLevel() == .debug)
        #expect(throws: ConfigurationError.self) {
            _ = try Environment(["LOG_LEVEL_FILE": path, "LOG_LEVEL": "info"]).logLevel()
        }
        let error = #expect(throws: ConfigurationError.self) {
            _ = try Environment(["LOG_LEVEL_FILE": path + "-missing"]).logLevel()
        }
        #expect(error?.description.contains("LOG_LEVEL_FILE: '\(path)-missing' cannot be read") == true)
    }

    @Test("A value that may hold a password is not in its error")
    func secret() {
        let secret = "postgresql://shop:hunter2@host/order"
        let error = Environment([:]).wrong(Variables.postgresURL("order"), secret, "a URL")
        #expect(!error.description.contains("hunter2"))
        #expect(error.description.hasPrefix("POSTGRES_URL_ORDER: "))
    }

    @Test("Help of every command lists its settings with default and unit")
    func help() {
        for command in ["all", "order", "payment", "inventory", "shipping", "notification", "cdc", "gateway", "check"] {
            let text = Help.text(command)
            for variable in Help.variables(command) {
                #expect(text.contains("  \(variable.name) "), "\(command): \(variable.name)")
            }
            #expect(text.contains("NAME"), "\(command)")
        }
        #expect(Help.text("order").contains("PAYMENT_LIFETIME_MS"))
    }

    @Test("Items of the demonstration catalogue have the same ids wherever they are put in")
    func catalogue() {
        let items = DemonstrationCatalogue.items(count: 30, stock: 5)
        #expect(items == DemonstrationCatalogue.items(count: 30, stock: 5))
        #expect(Set(items.map(\.id)).count == 30)
        #expect(Set(items.map(\.name)).count == 30)
        #expect(items.allSatisfy { $0.unitPrice > 0 && $0.quantity == 5 })
    }

    @Test("A server's variable that is there and empty is refused: it was meant to hold something")
    func emptyServer() {
        let kafka = Variables.kafkaBootstrap
        #expect(throws: Never.self) { try Environment([:]).refuseEmpty([kafka], otherwise: "") }
        #expect(throws: Never.self) {
            try Environment([kafka.name: "127.0.0.1:9092"]).refuseEmpty([kafka], otherwise: "")
        }
        for values in [[kafka.name: ""], [kafka.name + "_FILE": "/dev/null"]] {
            let error = #expect(throws: ConfigurationError.self) {
                try Environment(values).refuseEmpty([kafka], otherwise: "")
            }
            #expect(error?.variable == values.keys.first)
        }
    }

    @Test("A misspelt database variable is refused with those that there are")
    func unknownDatabase() {
        let databases = ShopComposition.serviceNames.map { Variables.postgresURL($0) }
        let known = ["POSTGRES_URL_ORDER": "a", "POSTGRES_URL_PAYMENT_FILE": "b", "POSTGRES_USER": "c"]
        #expect(throws: Never.self) { try Environment(known).refuseUnknown("POSTGRES_URL_", databases) }
        let error = #expect(throws: ConfigurationError.self) {
            try Environment(["POSTGRES_URL_ORDERS": "a"]).refuseUnknown("POSTGRES_URL_", databases)
        }
        #expect(error?.variable == "POSTGRES_URL_ORDERS")
        #expect(error?.problem.contains("POSTGRES_URL_ORDER,") == true)
    }

    @Test("Two parts at one port are refused by name; the system may choose any number of ports")
    func sharedPorts() throws {
        func refuse(_ values: [String: String]) throws(ConfigurationError) {
            let environment = Environment(values)
            try ShopConfiguration(environment).refuseSharedPorts(environment)
        }
        try refuse([:])
        try refuse(["HTTP_PORT_ORDER": "0", "HTTP_PORT_PAYMENT": "0"])
        let error = #expect(throws: ConfigurationError.self) { try refuse(["HTTP_PORT_PAYMENT": "8086"]) }
        #expect(error?.variable == "HTTP_PORT_PAYMENT")
        #expect(error?.problem.contains("HTTP_PORT_ORDER") == true)
    }
}
