/// The version of this package, as its commands print it and as it stands in failure files.
package let rehearsalVersion = "0.1.0"
