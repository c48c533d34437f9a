# Figures of R for the data sets beside this script, as JSON: Rscript figures.R > figures.json
suppressMessages({
  library(afex)
  library(effectsize)
})

argument <- grep("^--file=", commandArgs(), value = TRUE)
folder <- dirname(sub("^--file=", "", argument))
data <- function(name) read.csv(file.path(folder, name))

json <- function(x) {
  if (is.list(x)) {
    fields <- sprintf('"%s": %s', names(x), vapply(x, json, ""))
    return(paste0("{", paste(fields, collapse = ",\n"), "}"))
  }
  values <- sprintf("%.17g", unname(x))
  if (length(values) == 1) values else paste0("[", paste(values, collapse = ", "), "]")
}

# d_z whose noncentral t distribution has the observed t at its 1 - alpha/2 and alpha/2 quantile
dz_interval <- function(t, n, alpha) {
  end <- function(p) { # pt says in a warning that far tails are less than exact
    suppressWarnings(uniroot(function(nc) pt(t, n - 1, nc) - p, t + c(-12, 12), tol = 1e-11))$root / sqrt(n)
  }
  c(end(1 - alpha / 2), end(alpha / 2))
}

trimmed <- function(d, alpha) {
  n <- length(d)
  g <- floor(n / 5)
  ordered <- sort(d)
  wins <- pmin(pmax(d, ordered[g + 1]), ordered[n - g])
  h <- n - 2 * g
  se <- sqrt((n - 1) * var(wins) / (h * (h - 1)))
  mean(d, trim = g / n) + c(0, -1, 1) * qt(1 - alpha / 2, h - 1) * se
}

units <- lapply(split(data("units.csv"), ~set), function(u) {
  d <- u$over - u$under
  n <- length(d)
  paired <- t.test(u$over, u$under, paired = TRUE)
  welch <- t.test(u$over, u$under)
  dz <- cohens_d(u$over, u$under, paired = TRUE)
  ranks <- wilcox.test(d, conf.int = TRUE, exact = TRUE)
  equal <- c(t.test(d, mu = -0.3, alternative = "greater")$p.value,
             t.test(d, mu = 0.08, alternative = "less")$p.value)
  list(
    t = paired$statistic, dof = paired$parameter, p = paired$p.value, interval = paired$conf.int,
    interval_99 = t.test(d, conf.level = 0.99)$conf.int,
    cohen_dz = dz$Cohens_d, hedges_g = hedges_g(u$over, u$under, paired = TRUE)$Hedges_g,
    dz_interval = dz_interval(unname(paired$statistic), n, 0.05),
    dz_interval_effectsize = c(dz$CI_low, dz$CI_high),
    welch_t = welch$statistic, welch_dof = welch$parameter, welch_p = welch$p.value,
    welch_interval = welch$conf.int,
    wilcoxon_v = ranks$statistic, wilcoxon_p = ranks$p.value,
    hodges_lehmann = c(median(outer(d, d, "+")[upper.tri(diag(n), diag = TRUE)] / 2),
                       ranks$conf.int),
    tost_p = max(equal),
    trimmed = trimmed(d, 0.05),
    power = power.t.test(n, delta = 0.6 * sd(d), sd = sd(d), sig.level = 0.025, type = "one.sample",
                         alternative = "one.sided")$power
  )
})

rows <- function(fit, ss) {
  one <- suppressWarnings(summary(fit, multivariate = FALSE)) # Huynh-Feldt eps above 1
  table <- one$univariate.tests
  gg <- one$pval.adjustments
  ng2 <- anova(fit, correction = "none", es = "ges")[, "ges"]
  names(ng2) <- rownames(table)[-1]
  sapply(rownames(table)[-1], simplify = FALSE, function(effect) {
    corrected <- effect %in% rownames(gg)
    list(
      F = table[effect, "F value"], dof_effect = table[effect, "num Df"],
      dof_error = table[effect, "den Df"], p_value = table[effect, "Pr(>F)"],
      epsilon = if (corrected) gg[effect, "GG eps"] else 1,
      p_gg = if (corrected) gg[effect, "Pr(>F[GG])"] else table[effect, "Pr(>F)"],
      ng2 = ng2[[effect]],
      np2 = table[effect, "Sum Sq"] / (table[effect, "Sum Sq"] + table[effect, "Error SS"])
    )
  })
}

scores <- lapply(split(data("scores.csv"), ~set), function(s) {
  plain <- s[s$prompt == "plain", ]
  one_way <- suppressMessages(aov_ez("item", "score", plain, within = "precision"))
  two_way <- suppressMessages(aov_ez("item", "score", s, within = c("precision", "prompt")))
  ranks <- friedman.test(score ~ precision | item, plain)
  between <- summary(aov(score ~ precision, plain))[[1]]
  list(
    one_way = rows(one_way), two_way = rows(two_way),
    friedman = list(statistic = ranks$statistic, dof = ranks$parameter, p_value = ranks$p.value),
    anova = list(
      F = between[1, "F value"], dof_effect = between[1, "Df"], dof_error = between[2, "Df"],
      p_value = between[1, "Pr(>F)"], np2 = between[1, "Sum Sq"] / sum(between[, "Sum Sq"])
    )
  )
})

pairs <- lapply(split(data("pairs.csv"), ~set), function(x) {
  list(mcnemar_p = binom.test(x$only_a, x$only_a + x$only_b)$p.value)
})

p <- sapply(units, function(u) u$p)
cat(json(list(
  units = units, scores = scores, pairs = pairs,
  bonferroni = p.adjust(p, "bonferroni"), holm = p.adjust(p, "holm")
)), "\n")
