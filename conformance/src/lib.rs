//! Independent comparer, nasty trees and test benches.
