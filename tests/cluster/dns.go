package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// query is a line of CoreDNS' log, which has those for names outside of the
// cluster only.
var query = regexp.MustCompile(`"[A-Z0-9]+ IN (\S+)\. `)

// outsideNames reads the names from the log of CoreDNS, each once.
func outsideNames(log string) []string {
	var names []string
	for _, m := range query.FindAllStringSubmatch(log, -1) {
		names = append(names, strings.ToLower(m[1]))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// printOutsideNames prints the names outside of the cluster that pods looked
// up since the cluster was started, one a line.
func printOutsideNames(l layout) error {
	logs, err := filepath.Glob(l.state("var", "pods", "kube-system_coredns-*", "coredns", "*.log*"))
	if err != nil {
		return err
	}
	if len(logs) == 0 {
		return usageErrorf("no log of CoreDNS in %s: only a cluster with a real node has one", l)
	}
	var all strings.Builder
	for _, log := range logs {
		text, err := os.ReadFile(log)
		if err != nil {
			return err
		}
		all.Write(text)
	}
	for _, name := range outsideNames(all.String()) {
		fmt.Println(name)
	}
	return nil
}
