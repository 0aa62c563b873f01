package main

import (
	"fmt"
	"strings"
)

// overlayText is the part of mlops.yaml that makes the stack use the images.
func overlayText(images []image) string {
	var plain, values strings.Builder
	for _, i := range images {
		registry, rest, _ := strings.Cut(prefix+i.name, "/")
		repository, tag, _ := strings.Cut(rest, ":")
		if name, ok := strings.CutPrefix(i.setting, "images."); ok {
			fmt.Fprintf(&plain, "  %s: %s%s\n", name, prefix, i.name)
		} else if path, ok := strings.CutPrefix(i.setting, "values."); ok {
			indent := "  "
			for key := range strings.SplitSeq(path, ".") {
				fmt.Fprintf(&values, "%s%s:\n", indent, key)
				indent += "  "
			}
			fmt.Fprintf(&values, "%[1]sregistry: %[2]s\n%[1]srepository: %[3]s\n%[1]stag: %[4]q\n", indent, registry, repository, tag)
		}
	}
	return "# Images that were made for this cluster's node. To be merged into mlops.yaml.\nimages:\n" + plain.String() + "values:\n" + values.String()
}
