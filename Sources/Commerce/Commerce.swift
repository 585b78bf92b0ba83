@main
enum Commerce {
    static func main() {}
}
